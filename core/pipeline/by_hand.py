"""Explanations that a person writes: words, a rule in the grammar's language, or both.

They stand beside all others: explainer "human", no cost, the same items. A rule is checked exactly
over the corpus and judged by the grammar; words without a rule can be judged by whoever reads.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import NamedTuple

import numpy as np

from core import meaning
from core.explain.grammar import score_of
from core.grammar import Corpus, Rules, check, parse, render
from core.grammar.scan import claims
from core.pipeline.again import score_chosen
from core.pipeline.explaining_grammar import exact_scorer
from core.pipeline.judging import DEFAULT
from core.pipeline.scorers import Means
from core.pipeline.watching import Hearing, Watched, watched
from core.pipeline.workbench import Workbench
from data import ledger
from data.activations import FeatureActivations
from data.catalogue import Catalogue
from data.errors import BadInput
from data.records import HookpointRecord
from data.runs import Plan

HUMAN = "human"
LONGEST = 2_000  # characters of an explanation
UNMEASURED = " -> 0 @ 0"
PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|->|;')


def write_by_hand(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord, feature: int,
    text: str, rule: str | None = None, author: str = "", hearing: Hearing | None = None,
) -> int:  # fmt: skip
    """Store a person's explanation and give its explanation_id; the same words again give the same.

    rule: in the grammar's canonical language; figures behind an arrow may be left out and are then
    measured on train tokens. With a rule it is checked and judged by the grammar at once, which
    needs activations of the whole corpus; words alone can be written of any feature.
    """
    hearing = hearing or Hearing()
    rules = read_rule(rule)
    if rules is not None:
        bench.require_split()
    found = bench.slice(hookpoint, feature)
    if rules is not None:
        rules = measured(bench.corpus, rules, rule or "", found)
    new = _explanation(bench, feature, text, rules, found)
    explanation_id = _stored(catalogue, bench, hookpoint, new, author, hearing)
    if rules is not None:
        score_chosen(catalogue, bench, hookpoint, feature, [explanation_id], Means(), DEFAULT,
                     hearing=hearing)  # fmt: skip
    return explanation_id


def read_text(text: str) -> str:
    """Words as they are stored, on one line; BadInput where there are too many of them."""
    words = " ".join(text.split())
    if len(words) > LONGEST:
        raise BadInput(f"the explanation has {len(words):,} characters: {LONGEST:,} are the most")
    return words


def read_rule(rule: str | None) -> Rules | None:
    """Read a rule as a person types it; None where there is none.

    >>> str(read_rule('here:token="a" ; prev:word="b" -> 2 @ 0.5'))
    'here:token="a" -> 0 @ 0 ; prev:word="b" -> 2 @ 0.5'
    """
    text = " ".join((rule or "").split())
    if not text:
        return None
    rules = parse(" ; ".join(part + UNMEASURED * (not has) for part, has in _parts(text)))
    if not rules.rules:
        raise BadInput("a rule that never holds explains nothing: write what holds")
    return rules


def _parts(text: str) -> list[tuple[str, bool]]:
    """Cut at semicolons outside of quotes: each rule, and whether it has an arrow."""
    parts, begun, has_arrow = [], 0, False
    for piece in PIECE.finditer(text):
        if piece.group() == ";":
            parts.append((text[begun : piece.start()].strip(), has_arrow))
            begun, has_arrow = piece.end(), False
        has_arrow = has_arrow or piece.group() == "->"
    return [*parts, (text[begun:].strip(), has_arrow)]


def measured(corpus: Corpus, rules: Rules, typed: str, found: FeatureActivations) -> Rules:
    """Fill in what was left out: mean activation and share of active among first claims on train.

    A rule that claims nothing keeps 0 and 0.
    """
    said = claims(corpus, rules)
    here = corpus.train_positions[said.position]
    dense = np.zeros(corpus.n_tokens, np.float32)
    dense[found.token] = found.activation
    has_arrow = [has for _, has in _parts(" ".join(typed.split()))]
    out = []
    for place, rule in enumerate(rules.rules):
        values = dense[said.position[here & (said.rule == place)]]
        if has_arrow[place] or not len(values):
            out.append(rule)
            continue
        active = values > 0
        value = float(values[active].mean()) if active.any() else 0.0
        figures = {"value": round(value, 4), "precision": round(float(active.mean()), 4)}
        out.append(replace(rule, **figures))
    return Rules(tuple(out))


def _explanation(
    bench: Workbench, feature: int, text: str, rules: Rules | None, found: FeatureActivations
) -> ledger.NewExplanation:
    """Check and word it; words of one's own go before those of the rule."""
    start = perf_counter()
    words, exact = read_text(text), None
    if rules is not None:
        result = check(bench.corpus, rules, found.token, found.activation)
        figures = result.test.tokens
        words = words or render(rules, figures.recall, figures.precision)
        exact = score_of(result)
    if not words:
        raise BadInput("nothing is written: say what the feature means, in words or as a rule")
    return ledger.NewExplanation(
        feature=feature, text=words, rule=None if rules is None else str(rules), status="done",
        error=None, seconds=perf_counter() - start, seed=0, example_tokens=None, exact=exact,
    )  # fmt: skip


SAME = """
select min(explanation_id)
from explanation
where hookpoint_id = ? and feature = ? and explainer_id = ? and text = ?
    and rule is not distinct from ?
"""


def _stored(
    catalogue: Catalogue, bench: Workbench, hookpoint: HookpointRecord,
    new: ledger.NewExplanation, author: str, hearing: Hearing,
) -> int:  # fmt: skip
    """Write it as another one of this author's, unless they wrote the same before."""
    settings = {"explainer": HUMAN} | ({"author": author.strip()} if author.strip() else {})
    explainer_id = ledger.method_id(catalogue, "explainer", HUMAN, None, settings)
    question = [hookpoint.hookpoint_id, new.feature, explainer_id, new.text, new.rule]
    with catalogue.reading() as con:
        known = con.value(SAME, question)
    if known is not None:
        return known
    asked = settings | {"features": str(new.feature), "seed": new.seed}
    plan = Plan("explain", bench.record.cache_id, hookpoint.hookpoint_id, explainer_id, asked)
    with watched(catalogue, plan, hearing, None, f"Writing down #{new.feature}") as run:
        return _written(catalogue, hookpoint, explainer_id, run, new)


def _written(
    catalogue: Catalogue, hookpoint: HookpointRecord, explainer_id: int, run: Watched,
    new: ledger.NewExplanation,
) -> int:  # fmt: skip
    """Count on until the number is free: another page may write at the same time."""
    before = ledger.attempts(catalogue, hookpoint.hookpoint_id, explainer_id, new.seed)
    attempt = before.get(new.feature, 0)
    while True:
        ids = ledger.write_explanations(
            catalogue, hookpoint.hookpoint_id, explainer_id, exact_scorer(catalogue), run.run_id,
            [replace(new, attempt=attempt)],
        )  # fmt: skip
        if ids:
            return ids[0]
        attempt += 1


class Offer(NamedTuple):
    """A way to score words, or why there is none."""

    scorer: str
    words: str  # what it does, or why it cannot be had
    possible: bool


def offline_offers(scorers: Sequence[str] = ("surprisal", "embedding")) -> list[Offer]:
    """Scorers that judge words without an endpoint, and whether they can be had here."""
    has_encoder = meaning.is_installed()
    known = {
        "surprisal": Offer("surprisal", "the subject reads it, which loads it first", True),
        "embedding": Offer(
            "embedding",
            "a sentence encoder compares it with contexts"
            if has_encoder
            else f"sentence encoders are an extra: {meaning.EXTRA}",
            has_encoder,
        ),
        "output-side": Offer(
            "output-side",
            "the subject writes with the feature turned up, which loads it first, and tokens that "
            "the words name in quotation marks are counted",
            True,
        ),
    }
    return [known[name] for name in scorers]
