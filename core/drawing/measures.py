"""What the filters measured of one feature, as escaped HTML; knows nothing of Streamlit."""

from collections.abc import Sequence

from core.drawing.cards import Fact
from core.drawing.spans import block, escape, one_line
from data.catalogue import Row
from data.flags import (
    ENTROPY_FIRINGS,
    FEW_TOKENS,
    FIRES,
    FIRINGS,
    HALF,
    HALF_SHARE,
    INFORMATION,
    NOT_YET,
    PARTLY,
    POSITION_SHARE,
    STRONGEST,
    TOP,
    TOP_SHARE,
    Flag,
    in_short,
)
from data.percents import percent

BY_FREQUENCY = (Flag.DENSE, Flag.VERY_DENSE, Flag.ONE_TOKEN)
BY_CONTEXTS = (Flag.DEAD, Flag.RARE, Flag.SCARCE, Flag.REDUCED)  # said in a sentence of their own


def flag_facts(found: Row) -> list[Fact]:
    """The flags as a cell of the strip; none where there is nothing unusual."""
    flags = [one for one in in_short(found.get("flags") or []) if one not in BY_CONTEXTS]
    flags.sort(key=BY_FREQUENCY.__contains__)  # what says most about it comes first
    if not flags:
        return []
    more = f"and {', '.join(flags[1:])}" if flags[1:] else ""
    return [Fact("Flags", flags[0], more, "by heuristic filters; their limits are on the page "
                                          "Filters")]  # fmt: skip


def measures_table(found: Row, strings: Sequence[str]) -> str:
    """Every figure with its limit, or why there is none; strings: of the vocabulary."""
    few, fewer = f"fires fewer than {FIRINGS} times", f"fires fewer than {ENTROPY_FIRINGS} times"
    lines = [
        ("Position", _nats(found["information"], few), f"positional above {INFORMATION} nats"),
        ("… share of the entropy of firing", _share(found["position_share"], _why(found, few)),
         f"positional above {percent(POSITION_SHARE)}"),
        (f"Distinct tokens, strongest {percent(STRONGEST)}", _count(found["n_tokens"], few),
         f"unigram up to {FEW_TOKENS}"),
        ("… fires on them after random tokens", _tried(found), f"in over {percent(FIRES)}"),
        ("Distinct tokens right before", _count(found["n_previous"], few),
         f"prior-token up to {FEW_TOKENS}"),
        (f"Most frequent token, {TOP} strongest", _share(found["strongest_share"], few),
         f"single-token above {percent(TOP_SHARE)}, together with the next"),
        (f"… {HALF} of the stronger half", _share(found["stronger_share"], fewer),
         f"above {percent(HALF_SHARE)}; one of the two: weakly"),
        ("Token entropy", _nats(found["token_entropy"], fewer), "by firings"),
        ("… by activation", _nats(found["token_entropy_weighted"], fewer), ""),
        ("Skewness of its activations", _number(found["skewness"], "all alike, or under 3"), ""),
        ("Contexts in which a document begins",
         _share(found["crossing_share"], "documents are not known"), "of those it fires in"),
    ]  # fmt: skip
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td><b>{escape(value)}</b></td>"
        f'<td class="mut">{escape(limit)}</td></tr>'
        for name, value, limit in lines
    )
    return block(f'<table class="scores">{rows}</table>{_lists(found, strings)}')


def _lists(found: Row, strings: Sequence[str]) -> str:
    """The tokens of a unigram or prior-token feature, most frequent first."""
    said = ""
    for title, ids in (("Its tokens", found["tokens"]), ("Right before", found["previous"])):
        if ids:
            shown = " ".join(f"<code>{one_line(strings[int(one)])}</code>" for one in ids)
            said += f'<p><span class="k">{title}</span> {shown}</p>'
    return said


def _why(found: Row, few: str) -> str:
    return few if found["information"] is None else "fires everywhere"


def _nats(value: float | None, why: str) -> str:
    return why if value is None else f"{value:.2g} nats" if value < 0.1 else f"{value:.2f} nats"


def _share(value: float | None, why: str) -> str:
    return why if value is None else f"{percent(value)}"


def _count(value: int | None, why: str) -> str:
    return why if value is None else f"{value:,}"


def _number(value: float | None, why: str) -> str:
    return why if value is None else f"{value:.2f}"


def _tried(found: Row) -> str:
    """How the check of a unigram feature went."""
    if found["n_tokens"] is None or found["n_tokens"] > FEW_TOKENS:
        return "not tried: it is no unigram feature"
    if found["context_free"] is None:
        why = found["unchecked"] or NOT_YET
        return why if why in (PARTLY, NOT_YET) else f"not tried: {why}"
    n = found["n_scrambled"]
    return f"{percent(found['context_free'])}, {round(found['context_free'] * n)} of {n}"
