"""How much of a dictionary is explained and scored, and what all of it would cost."""

from time import sleep

import streamlit as st

from core.coverage import Coverage, Covered, Scored, covered, lacking, priced, whole
from core.coverage_price import BLOG_DOLLARS, BLOG_FEATURES, Priced, headline
from core.drawing.cards import sentence
from core.drawing.spans import block, escape, heading
from dashboard import session
from dashboard.jobs import Job
from dashboard.memory import Memory
from data.records import CacheRecord

EVERY = 0.2  # seconds between looks at the plan
KEPT = 8


@st.cache_resource(show_spinner=False)
def _kept() -> Memory:
    return Memory(KEPT)


def _found(record: CacheRecord) -> Coverage:
    catalogue = session.library().catalogue
    key = (catalogue.path, catalogue.revision(), record.name)
    return _kept().get(key, lambda: covered(catalogue, record.name))


def show(record: CacheRecord) -> None:
    """Counts by hookpoint; prices at a press, since prompts are written for them."""
    found = _found(record)
    st.html(heading("Coverage", "of the features that fire"))
    st.html(block("".join(_hookpoint(one) for one in found.every), "cover"))
    st.html(heading("The price of all of it", "every feature with contexts enough, by detection "
                    "and fuzzing"))  # fmt: skip
    _prices(record, found)


def _hookpoint(one: Covered) -> str:
    size = "an unknown number of" if one.n_features is None else f"{one.n_features:,}"
    rows = [("fire", one.alive, f"of {size} features"),
            ("explained", one.explained, f"{one.failed:,} failed; contexts suffice for "
             f"{one.explainable:,}")]  # fmt: skip
    lines = [_bar(one, *row) for row in rows]
    for part in one.scored:
        words = f"judge {part.judge}, {part.preset}; explainer {part.explainer}"
        lines.append(_bar(one, part.scorer, part.n, words))
        if part.null_n:
            lines.append(_bar(one, "above its null", part.n_above, _null_words(one, part)))
    return f"<h6>{escape(one.hookpoint or 'all hookpoints')}</h6>" + "".join(lines)


def _null_words(one: Covered, part: Scored) -> str:
    """What the count is above of."""
    if part.n_above is None:
        return lacking(one, part)
    limit = "" if part.threshold is None else f", {part.threshold:.2f}"
    return f"the 95th percentile of {part.null_n:,} null scores{limit}; one in twenty by chance"


def _bar(one: Covered, name: str, n: int | None, note: str) -> str:
    """A name, a bar, a count with its share, and what else is to be said."""
    share = one.share(n)
    if n is None or share is None:
        return (f'<div class="cov"><span>{escape(name)}</span><span class="track"></span>'
                f"<b>–</b><em>{escape(note)}</em></div>")  # fmt: skip
    return (
        f'<div class="cov"><span>{escape(name)}</span>'
        f'<span class="track"><i style="width:{min(share, 1):.1%}"></i></span>'
        f"<b>{n:,} ({escape(whole(share))})</b><em>{escape(note)}</em></div>"
    )


def _prices(record: CacheRecord, found: Coverage) -> None:
    library = session.library()
    key = ("coverage", library.catalogue.revision(), record.name)
    job = library.jobs.get(key)
    if job is None and st.button("Work out the price", key="baselines.price",
                                 icon=":material/payments:"):  # fmt: skip
        job = library.jobs.start(key, "pricing a dictionary",
                                 lambda _stop: priced(library.patient, found))  # fmt: skip
    if job is not None:
        _drawn(job)
    st.html(block(_headline()))


def _drawn(job: Job) -> None:
    place = st.empty()
    while job.is_running:
        place.html(block(f'<p class="mut">Writing the prompts of a few features … '
                         f"{job.seconds:.0f} s</p>"))  # fmt: skip
        sleep(EVERY)
    if job.error:
        place.html(sentence(f"That cannot be priced: {job.error}."))
        return
    place.html(block(price_table(job.result)))


def price_table(found: Priced) -> str:
    """A line a preset, a column a model."""
    why = f'<p class="mut">No price where nothing was measured: {escape(found.problem)}.</p>'
    if not found.presets:
        return why
    head = "".join(f'<th title="{escape(one.source)}">{escape(one.name)}</th>'
                   for one in found.quoted)  # fmt: skip
    body = "".join(
        f"<tr><td>{escape(one.preset)}</td><td>{sum(one.calls.values()):,}</td>"
        + "".join(f"<td>{escape(str(one.dollars(q.price, found.explained, found.scored)))}</td>"
                  for q in found.quoted)
        + f"<td>{escape(one.source)}</td></tr>"
        for one in found.presets
    )  # fmt: skip
    notes = "; ".join(f"{one.name}: {one.source}" for one in found.quoted)
    return (
        f'<p class="mut">{found.explained:,} explanations, {found.scored:,} features scored. '
        f"Prices: {escape(notes)}. Add others to prices.toml in the store.</p>"
        '<table class="beside text"><tr><th>preset</th><th>calls a feature</th>'
        f"{head}<th>tokens a call</th></tr>{body}</table>{why if found.problem else ''}"
    )


def _headline() -> str:
    """The blog's figure, and what it leaves out."""
    found = headline()
    full = ", ".join(f"{name} ${cost:,.0f}" for name, cost in found["full_usd"].items())
    return (
        f'<p class="mut">“${BLOG_DOLLARS:,.0f} for {BLOG_FEATURES / 1e6:g} million features” '
        f"({escape(found['source'])}) pays {found['pays_for']}. Explained and scored in full, at "
        f"the price that it implies and its own tokens a call: {escape(full)}.</p>"
    )
