"""What is unusual about a feature: the limits, and the flags that follow from them, as SQL.

This is the one place where a figure becomes a flag. Flags label; they never leave a feature out.
Those of `feature` are known of every cache, those of `feature_measure` where the filters were run.
SQL here names columns by two aliases:

    f  feature     g  feature_measure     k  outcome of the check of unigram features
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from data.catalogue import Connection, Row
from data.percents import percent

FIRINGS = 50  # fewest firings for positions and tokens
ENTROPY_FIRINGS = 100  # fewest firings for entropies, and for the stronger half
SEQUENCES = 100  # fewest sequences at a position; the information's bias is 1 / (2 * sequences)
INFORMATION, POSITION_SHARE = 0.05, 0.5  # nats; share of the entropy
STRONGEST = 0.8  # of the active tokens by value: those whose ids are counted
FEW_TOKENS = 20  # distinct ids
SCRAMBLED, SCRAMBLED_TOKENS = 2, 19  # sequences an id; random tokens before it
FIRES = 0.9  # share of the scrambled sequences
TOP, TOP_SHARE = 50, 0.9  # strongest tokens; share of the most frequent id
HALF, HALF_SHARE = 100, 0.75  # drawn from the stronger half; share of the most frequent id
DENSE, VERY_DENSE = 0.01, 0.1  # share of tokens
ONE_TOKEN = 0.9  # share of all firings
PARTLY, NOT_YET = "partly tried", "not tried yet"  # unigram features on random tokens


class Flag(StrEnum):
    """What is unusual about a feature; a label, never a reason to leave it out."""

    DEAD = "dead"
    RARE = "rare"
    SCARCE = "scarce"
    REDUCED = "reduced"
    DENSE = "dense"
    VERY_DENSE = "very dense"
    ONE_TOKEN = "mostly one token"
    POSITIONAL = "positional"
    UNIGRAM = "unigram"
    CONTEXT_FREE = "context-independent"
    PRIOR_TOKEN = "prior-token"
    SINGLE_TOKEN = "single-token"
    WEAK_SINGLE_TOKEN = "weakly single-token"


@dataclass(frozen=True, slots=True)
class Rule:
    """When a feature has a flag."""

    when: str  # SQL
    known: str  # SQL: whether that can be said of a feature
    words: str  # the same for people, with the limit
    source: str  # of the limit


EVER = "f.n_active is not null"
CONTEXTS = "f.n_contexts is not null"
SPARSE = "f.density is not null"
UNIGRAM = f"g.n_tokens <= {FEW_TOKENS}"
STRONG = f"g.strongest_share > {TOP_SHARE}"
HALF_STRONG = f"g.stronger_share > {HALF_SHARE}"
SHARES = "g.strongest_share is not null and g.stronger_share is not null"
BLOG, GLOSS, DELPHI = "EleutherAI's post, July 2024", "Gloss", "delphi, with its sort set right"
RULES = {
    Flag.DEAD: Rule("f.n_active = 0", EVER, "never fired", GLOSS),
    Flag.RARE: Rule("f.reason = 'rare'", CONTEXTS, "fewer than 10 contexts", GLOSS),
    Flag.SCARCE: Rule("f.reason = 'scarce'", CONTEXTS, "10 to 39 contexts", GLOSS),
    Flag.REDUCED: Rule("f.reason = 'reduced'", CONTEXTS, "40 to 199 contexts", GLOSS),
    Flag.DENSE: Rule(
        f"f.density > {DENSE}", SPARSE, f"on more than {percent(DENSE)} of tokens", GLOSS
    ),
    Flag.VERY_DENSE: Rule(
        f"f.density > {VERY_DENSE}", SPARSE, f"on more than {percent(VERY_DENSE)} of tokens", GLOSS
    ),
    Flag.ONE_TOKEN: Rule(
        f"f.top_token_share > {ONE_TOKEN}", "f.top_token_share is not null",
        f"over {percent(ONE_TOKEN)} of all firings on one token", GLOSS,
    ),
    Flag.POSITIONAL: Rule(
        f"g.information > {INFORMATION} or g.position_share > {POSITION_SHARE}",
        "g.information is not null",
        f"the position tells over {INFORMATION} nats, or over {percent(POSITION_SHARE)} of the "
        "entropy of firing",
        "Voita et al., 2309.04827; the share: Gloss",
    ),
    Flag.UNIGRAM: Rule(
        UNIGRAM, "g.n_tokens is not null",
        f"at most {FEW_TOKENS} distinct tokens among its strongest {percent(STRONGEST)}", BLOG,
    ),
    Flag.CONTEXT_FREE: Rule(
        f"{UNIGRAM} and k.context_free > {FIRES}",
        f"g.n_tokens > {FEW_TOKENS} or k.context_free is not null",
        f"unigram, and fires after {SCRAMBLED_TOKENS} random tokens in over {percent(FIRES)} "
        f"of {SCRAMBLED} tries a token", BLOG,
    ),
    Flag.PRIOR_TOKEN: Rule(
        f"g.n_previous <= {FEW_TOKENS}", "g.n_previous is not null",
        f"at most {FEW_TOKENS} distinct tokens right before its strongest {percent(STRONGEST)}",
        BLOG,
    ),
    Flag.SINGLE_TOKEN: Rule(
        f"{STRONG} and {HALF_STRONG}", SHARES,
        f"one token is over {percent(TOP_SHARE)} of its {TOP} strongest and over "
        f"{percent(HALF_SHARE)} of {HALF} from its stronger half", DELPHI,
    ),
    Flag.WEAK_SINGLE_TOKEN: Rule(
        f"({STRONG}) <> ({HALF_STRONG})", SHARES, "one of these two, not both", DELPHI,
    ),
}  # fmt: skip
NAMED = ", ".join(f"case when {rule.when} then '{flag}' end" for flag, rule in RULES.items())
FLAGS = f"list_filter([{NAMED}], lambda one: one is not null)"  # SQL: a feature's flags, as texts
FIGURES = (
    "information", "position_share", "n_tokens", "n_previous", "context_free", "n_scrambled",
    "strongest_share", "stronger_share", "token_entropy", "token_entropy_weighted", "skewness",
    "crossing_share",
)  # fmt: skip
COLUMNS = f"""{FLAGS} as flags, g.feature is not null as is_measured, g.tokens, g.previous,
       k.unchecked, {", ".join(FIGURES)}"""
MEASURED = """
    select * exclude (hookpoint_id, run_id)
    from feature_measure
    where hookpoint_id = {hookpoint}{only}
"""
CHECKED = """
    select feature,
           case when count(s.token) >= any_value(len(g.tokens))
                then sum(s.n_fired) / nullif(sum(s.n), 0) end as context_free,
           sum(s.n)::uinteger as n_scrambled,
           case when count(s.token) = 0 then any_value(s.reason)
                when count(s.token) < any_value(len(g.tokens)) then '{partly}' end as unchecked
    from scrambled s
    left join feature_measure g using (hookpoint_id, feature)
    where hookpoint_id = {hookpoint}{only}
    group by feature
"""


def measured(hookpoint: str, only: str = "") -> str:
    """SQL of the figures of a hookpoint's features, the alias g.

    hookpoint: SQL of a hookpoint_id, e.g. a parameter; only: a further condition on `feature`, with
    its "and".
    """
    return MEASURED.format(hookpoint=hookpoint, only=only)


def checked(hookpoint: str, only: str = "") -> str:
    """SQL of how unigram features did on random tokens, the alias k.

    A share is given only of those that were tried on all of their tokens.
    """
    return CHECKED.format(hookpoint=hookpoint, only=only, partly=PARTLY)


def joins(hookpoint: str, only: str = "") -> str:
    """SQL that joins both to `feature f`."""
    return (
        f"left join ({measured(hookpoint, only)}) g using (feature)\n"
        f"left join ({checked(hookpoint, only)}) k using (feature)"
    )


def limits() -> dict[str, float]:
    """Every limit by name, to be stored with a run."""
    return {
        "firings": FIRINGS, "entropy_firings": ENTROPY_FIRINGS, "sequences": SEQUENCES,
        "information": INFORMATION, "position_share": POSITION_SHARE, "strongest": STRONGEST,
        "few_tokens": FEW_TOKENS, "scrambled": SCRAMBLED, "scrambled_tokens": SCRAMBLED_TOKENS,
        "fires": FIRES, "top": TOP, "top_share": TOP_SHARE, "half": HALF,
        "half_share": HALF_SHARE, "dense": DENSE, "very_dense": VERY_DENSE,
        "one_token": ONE_TOKEN,
    }  # fmt: skip


class Count(NamedTuple):
    """How many features of a hookpoint have one flag."""

    flag: Flag
    n: int
    known: int  # features of which it can be said; the share is n / known


class Counts(NamedTuple):
    """The flags of one hookpoint."""

    hookpoint_id: int
    hookpoint: str
    n_features: int
    n_measured: int  # by the filters; 0 = they were not run
    flags: dict[Flag, Count]
    few_firings: int  # of the measured, without figures of positions and tokens
    few_for_entropy: int  # of the measured, without entropies
    no_position: int  # of the measured with firings enough, without a figure of positions
    unchecked: dict[str, int]  # unigram features that were not checked, by reason


TALLIES = ", ".join(
    f"count(*) filter (where {rule.when}) as n_{place}, "
    f"count(*) filter (where {rule.known}) as known_{place}"
    for place, rule in enumerate(RULES.values())
)
COUNTS = f"""
select count(*) as n_features, count(g.feature) as n_measured, {TALLIES},
       count(*) filter (where g.feature is not null and coalesce(f.n_active, 0) < {FIRINGS})
           as few_firings,
       count(*) filter (where g.feature is not null and coalesce(f.n_active, 0) < {ENTROPY_FIRINGS})
           as few_for_entropy,
       count(*) filter (where f.n_active >= {FIRINGS} and g.feature is not null
                        and g.information is null) as no_position
from feature f
{joins("$1")}
where f.hookpoint_id = $1
"""
UNCHECKED = f"""
select coalesce(k.unchecked, '{NOT_YET}') as reason, count(*) as n
from ({measured("$1")}) g
left join ({checked("$1")}) k using (feature)
where {UNIGRAM} and k.context_free is null
group by all
order by n desc, reason
"""
HOOKPOINTS = "select hookpoint_id, name from hookpoint where cache_id = ? order by hookpoint_id"


def counts(con: Connection, cache_id: int) -> list[Counts]:
    """The flags of every hookpoint of a cache, in its order."""
    return [counts_of(con, **row) for row in con.rows(HOOKPOINTS, [cache_id])]


def counts_of(con: Connection, hookpoint_id: int, name: str) -> Counts:
    """The flags of one hookpoint; name: to be kept with them."""
    row = con.row(COUNTS, [hookpoint_id]) or {}
    flags = {
        flag: Count(flag, row[f"n_{place}"], row[f"known_{place}"])
        for place, flag in enumerate(RULES)
    }
    unchecked = {found["reason"]: found["n"] for found in con.rows(UNCHECKED, [hookpoint_id])}
    return Counts(
        hookpoint_id, name, row["n_features"], row["n_measured"], flags, row["few_firings"],
        row["few_for_entropy"], row["no_position"], unchecked,
    )  # fmt: skip


def is_measured(con: Connection, hookpoint_id: int) -> bool:
    """Whether the filters were run on any feature of a hookpoint."""
    found = con.value("select 1 from feature_measure where hookpoint_id = ? limit 1",
                      [hookpoint_id])  # fmt: skip
    return found is not None


def figures(row: Row) -> Row | None:
    """The figures of a feature out of a row with COLUMNS; None where the filters were not run."""
    return {name: row[name] for name in FIGURES} if row["is_measured"] else None


IMPLIED = {Flag.VERY_DENSE: Flag.DENSE, Flag.CONTEXT_FREE: Flag.UNIGRAM}


def in_short(found: Sequence[str]) -> list[str]:
    """Flags without those that others imply, e.g. ["dense", "very dense"] -> ["very dense"]."""
    implied = {IMPLIED.get(Flag(one)) for one in found}
    return [one for one in found if one not in implied]
