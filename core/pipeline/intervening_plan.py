"""What `gloss intervene` would do, counted before anything is loaded or asked."""

from collections.abc import Iterator
from typing import Any

from core.pipeline.intervening import InterveneRequest
from core.pipeline.intervening_tools import TEMPLATE
from core.pipeline.workbench import Workbench
from data import caches
from data.catalogue import Catalogue


def planned(
    catalogue: Catalogue, request: InterveneRequest
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Count features, pushes, continuations and questions of each hookpoint, as upper bounds.

    What a study holds already is not asked again; which study it is, only the judge's tokenizer
    tells, which a plan does not load.
    """
    record = caches.cache(catalogue, request.cache)
    bench = Workbench.open(catalogue, record)
    bench.require_activations()
    named = [caches.hookpoint(record, name) for name in request.hookpoints]
    for hookpoint in named or record.hookpoints:
        n = len(bench.chosen(hookpoint, request.features))
        row = {"hookpoint": hookpoint.name, "features": n} | _counts(request, n)
        yield (
            (
                f"{hookpoint.name}: {n} features at {len(request.kls)} KL, with baselines at most "
                f"{row['pushes']:,} pushes to find strengths, {row['texts']:,} continuations, "
                f"{row['explainer_calls']:,} calls of the explainer, {row['questions']:,} "
                f"questions to the judge{'' if request.judge_model else ', each a call'}"
            ),
            row,
        )


def _counts(request: InterveneRequest, n: int) -> dict[str, int]:
    sizes, kls = request.sizes, len(request.kls)
    ablations = n if "ablation" in request.baselines else 0
    random = n * kls if "random-sae" in request.baselines else 0
    exchanged = n * kls if "shuffled" in request.baselines else 0
    measured = n * kls + ablations + random
    each = 2 * (sizes.select * sizes.candidates + sizes.score)
    clean = n + (n if random else 0)
    is_template = request.explainer == TEMPLATE
    return {
        "pushes": 10 * sizes.score * (n * kls + random),
        "texts": sizes.prompts * (measured + clean),
        "explainer_calls": 0 if is_template else sizes.candidates * measured,
        "questions": each * (measured + exchanged),
    }
