"""The page of one feature in a report: everything that is known of it, in one file."""

import html
from collections.abc import Sequence
from typing import NamedTuple

from core.drawing import cards
from core.drawing.curves import curve, histogram_of
from core.drawing.facts import facts, position_sentence, subject_line, why_little, why_silent
from core.drawing.feature import FeatureRecord, judged
from core.drawing.listing import SCORERS, Group, Listing, Show
from core.drawing.reader import Reader
from core.drawing.spans import block, escape, example_list, heading, one_line
from core.exporting.report_charts import accuracy, histogram
from core.exporting.report_frame import page
from core.pipeline.workbench import Workbench
from data.catalogue import Row
from data.records import ExplanationRecord, HookpointRecord

NEAREST = 8  # neighbours listed


class Links(NamedTuple):
    """Where the page's links go, relative to it; "" = nowhere."""

    before: str = ""  # feature before, and after
    after: str = ""
    home: str = ""


class Feature(NamedTuple):
    """One feature to draw."""

    bench: Workbench
    hookpoint: HookpointRecord
    number: int
    record: FeatureRecord
    reader: Reader
    shown: ExplanationRecord | None  # of its explanations, the one that verdicts are shown of

    @property
    def strings(self) -> Sequence[str]:
        """The text of every token id."""
        return self.bench.files.vocabulary.strings


def feature_page(feature: Feature, links: Links, footer: str) -> str:
    """The whole page; footer: HTML."""
    name = f"{feature.hookpoint.name}/{feature.number}"
    text = feature.shown and feature.shown.text
    body = [_bar(feature, links)]
    if silent := why_silent(feature.record.facts, feature.bench.record):
        body.append(cards.sentence(silent))
    else:
        body += [_explanations(feature), '<div class="gap"></div>', _facts(feature),
                 f'<div class="cols"><div>{_contexts(feature)}</div>'
                 f'<div class="side">{_side(feature)}</div></div>']  # fmt: skip
    return page(f"{name}: {text}" if text else name, "".join([*body, footer]))


def _bar(feature: Feature, links: Links) -> str:
    """Previous, number, next, and what is explained."""
    label = feature.record.notes.get("label")
    named = f'<span class="label">{one_line(label)}</span>' if label else ""
    who = escape(subject_line(feature.bench.record, feature.hookpoint))
    index = (
        f'<a class="step" id="index" href="{links.home}" title="press I">All features</a>'
        * bool(links.home)
    )
    return (
        f'<div class="top">{_step("previous", "←", links.before)}'
        f"<h1>Feature {feature.number:,}</h1>{_step('next', '→', links.after)}"
        f'<div class="who fx">{named}{who}</div>{index}'
        '<button id="theme" title="light or dark">◐</button></div>'
    )


def _step(name: str, sign: str, target: str) -> str:
    if not target:
        return f'<span class="step off" aria-hidden="true">{sign}</span>'
    return (
        f'<a class="step" id="{name}" rel="{name[:4]}" href="{target}" title="{name} feature '
        f'({sign})" aria-label="{name} feature">{sign}</a>'
    )


def _explanations(feature: Feature) -> str:
    """A card each; the one that verdicts are shown of comes first."""
    found = list(feature.record.explanations)
    if not found:
        return cards.sentence("Not explained.")
    if feature.shown is not None:
        found.sort(key=lambda one: one is not feature.shown)
    columns, last = cards.scorers(found), len(found) - 1
    return "".join(
        cards.card(one, columns, name=" ".join(["first"] * (i == 0) + ["last"] * (i == last)),
                   is_shown=one is feature.shown)
        for i, one in enumerate(found)
    )  # fmt: skip


def _facts(feature: Feature) -> str:
    record, cache = feature.record, feature.bench.record
    assert record.facts is not None  # or the page says why there is nothing
    nearest = next((row for row in record.neighbours if row["measure"] == "cosine"), None)
    n = feature.bench.contexts.n_distinct
    strip = cards.fact_strip(facts(record.facts, cache, feature.shown, nearest, n_contexts=n))
    little = why_little(record.facts)
    return strip + (block(f'<p class="mut">{escape(little)}</p>') if little else "")


def _contexts(feature: Feature) -> str:
    """Contexts by decile with the verdicts on the shown explanation beside them."""
    number = feature.shown and feature.shown.explanation_id
    listing = Listing(feature.reader, judged(feature.record, number))
    groups = _groups(listing)
    if not groups:
        return cards.sentence("No contexts are stored.")
    scale = (feature.record.facts or {}).get("max_activation") or 0.0
    note = "hover a token for its activation"
    key = "D detection, F fuzzing: ✓ right, × wrong, ? no usable reply"
    title = heading("Contexts", f"{note} · {key}" if listing.asked.by_context else note)
    return title + example_list(groups, scale)


def _groups(listing: Listing) -> list[Group]:
    """By decile; where there are too few for deciles, the strongest, then silent ones."""
    found = listing.groups(Show.DECILES)
    if any(group.name.startswith("Decile") for group, _ in found):
        return found
    return listing.groups(Show.STRONGEST) + found


def _side(feature: Feature) -> str:
    """Figures and small tables."""
    found = feature.record.facts or {}
    bins = histogram_of(found)
    scores = feature.shown.scores if feature.shown else ()
    curves = [curve(score) for score in scores if score.scorer in SCORERS]
    parts = [histogram(bins), accuracy(curves), _effects(feature, found), _tokens(feature, found),
             _positions(feature, found), _neighbours(feature)]  # fmt: skip
    return "".join(f"<div>{part}</div>" for part in parts if part)


def _effects(feature: Feature, found: Row) -> str:
    lists = [
        [(feature.strings[int(one["token"])], one["value"]) for one in found.get(name) or []]
        for name in ("promoted", "suppressed")
    ]
    if not any(lists):
        return ""
    return heading("Logit effects", "decoder direction on the unembedding") + cards.logit_table(
        *lists
    )


def _tokens(feature: Feature, found: Row) -> str:
    top = [
        (feature.strings[int(t["token"])], t["n"], t["mean"]) for t in found.get("top_tokens") or []
    ]
    if not top:
        return ""
    title = heading("Top tokens", "on which it fires most often")
    return title + cards.token_table(top[:10], found["n_active"] or 0)


def _positions(feature: Feature, found: Row) -> str:
    counts = found.get("position_counts") or []
    if not sum(counts):
        return ""
    words = escape(position_sentence(counts, feature.bench.record.n_sequences,
                                     found["information"]))  # fmt: skip
    inside = block(f'<p class="mut">{words}</p>') + cards.position_bars(counts)
    return f'<details class="more"><summary>Position in the sequence</summary>{inside}</details>'


def _neighbours(feature: Feature) -> str:
    near = [row for row in feature.record.neighbours if row["measure"] == "cosine"][:NEAREST]
    if not near:
        return ""
    lines = "".join(
        f"<dt>#{row['other']} · {row['value']:.2f}</dt><dd>{one_line(row['text'] or '–')}</dd>"
        for row in near
    )
    return (
        '<details class="more"><summary>Nearest features by decoder cosine</summary>'
        f"{block(f'<dl>{lines}</dl>')}</details>"
    )


def footer_of(made: str, about: Sequence[str]) -> str:
    """When and of what a report was made."""
    said = " · ".join(html.escape(word) for word in [f"Gloss report of {made}", *about])
    return f"<footer>{said}</footer>"
