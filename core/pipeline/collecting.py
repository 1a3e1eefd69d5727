"""Collections: made from a list, explained and scored by the usual stages, hookpoint by hookpoint.

The stages keep to the collection's features, so every part is a run of the catalogue, nothing is
done twice, and the same command again goes on where it stopped.
"""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from core.collections.listing import read_list
from core.collections.members import Read, members_of
from core.explain.settings import ExplainerSettings
from core.grammar.settings import Settings
from core.llm.settings import EndpointSettings
from core.pipeline.explaining import ExplainRequest, explain_stage
from core.pipeline.judging import DEFAULT, ScoreRequest
from core.pipeline.scorers import Means
from core.pipeline.scoring import score_stage
from data import caches, collections
from data.catalogue import Catalogue
from data.collections import Collection, Member
from data.errors import BadInput
from data.records import CacheRecord, HookpointRecord, Progress

# For circuits: stages of thought, clear marks only, and what the feature does (methods.md 8).
CIRCUIT = ExplainerSettings(explainer="cot", highlight=0.7, effects="shown")
FEW = 200  # features of a hookpoint up to which starting worker processes costs more than it saves
ARCHITECTURE = """
select s.architecture from cache c join subject s using (subject_id) where c.cache_id = ?
"""


def read(catalogue: Catalogue, record: CacheRecord, text: str) -> Read:
    """Read a list against a cache; BadInput names every entry that the cache does not have."""
    with catalogue.reading() as con:
        architecture = con.value(ARCHITECTURE, [record.cache_id])
    return members_of(read_list(text), record, architecture)


def make(
    catalogue: Catalogue, name: str, cache: str, text: str, source: str
) -> tuple[Collection, int]:
    """Store a list under a name; gives the collection, and how many entries named one again."""
    record = caches.cache(catalogue, cache)
    collections.clean_name(name)
    found = read(catalogue, record, text)
    made = collections.create(catalogue, name, record.cache_id, found.members, source)
    return made, found.repeated


@dataclass(frozen=True, slots=True)
class CollectionRequest:
    """What is to be explained or scored."""

    name: str
    settings: Settings | ExplainerSettings = field(default_factory=Settings)  # of the explainer
    endpoint: EndpointSettings | None = None
    means: Means = field(default_factory=Means)
    scorers: tuple[str, ...] = DEFAULT
    preset: str = "gloss"
    nulls: tuple[str, ...] = ("shuffled",)  # a role is told by them
    seed: int = 0
    workers: int = 0  # 0 = as many as pay
    command: tuple[str, ...] = field(default=(), compare=False)  # as typed, to go on with


def explain_collection(catalogue: Catalogue, request: CollectionRequest) -> Iterator[Progress]:
    """Explain every member: by rules, by what it promotes, or by a model as circuits are."""
    how = None if isinstance(request.settings, Settings) else request.settings.explainer
    if how not in (None, "output") and request.endpoint is None:
        raise BadInput(f"the explainer {how} needs a language model: give --model ID")
    for record, hookpoint, features in _parts(catalogue, request.name):
        yield from explain_stage(
            catalogue,
            ExplainRequest(
                cache=record.name, hookpoints=(hookpoint.name,), features=_spec(features),
                settings=request.settings, seed=request.seed, endpoint=request.endpoint,
                workers=request.workers or _workers(features), command=request.command,
            ),
        )  # fmt: skip


def score_collection(catalogue: Catalogue, request: CollectionRequest) -> Iterator[Progress]:
    """Score the explanations of every member, with the null scores that a role is told by."""
    explained = 0
    for record, hookpoint, features in _parts(catalogue, request.name):
        ids = _explanations(catalogue, hookpoint, features)
        if not ids:
            note = f"no member at {hookpoint.name} is explained"
            yield Progress(f"scoring {hookpoint.name}", 0, 0, note=note)
            continue
        explained += len(ids)
        yield from score_stage(
            catalogue,
            ScoreRequest(
                cache=record.name, hookpoints=(hookpoint.name,), features=_spec(features),
                scorers=request.scorers, preset=request.preset, means=request.means,
                nulls=request.nulls, workers=request.workers or _workers(features),
                command=request.command,
            ),
        )  # fmt: skip
    if not explained:
        raise BadInput(f"no feature of collection '{request.name}' is explained: run gloss "
                       f"collection explain {shlex.quote(request.name)} first")  # fmt: skip


def _parts(catalogue: Catalogue, name: str) -> list[tuple[CacheRecord, HookpointRecord, list[int]]]:
    """The features of each hookpoint, ascending."""
    found = collections.collection(catalogue, name)
    record = caches.cache(catalogue, found.cache)
    with catalogue.reading() as con:
        members = collections.members_of(con, found.collection_id)

    def place(member: Member) -> int:
        return member.hookpoint_id

    by_id = {one.hookpoint_id: one for one in record.hookpoints}
    return [
        (record, by_id[hookpoint_id], sorted(member.feature for member in group))
        for hookpoint_id, group in groupby(sorted(members, key=place), place)
    ]


def _spec(features: list[int]) -> str:
    """Features as selection.py reads them; those of a list are named, so dead ones count too."""
    return ",".join(map(str, features))


def _workers(features: list[int]) -> int:
    return 1 if len(features) <= FEW else 0


def _explanations(
    catalogue: Catalogue, hookpoint: HookpointRecord, features: list[int]
) -> list[int]:
    with catalogue.reading() as con:
        rows = con.rows(
            "select explanation_id from explanation where hookpoint_id = ? "
            "and feature in (select unnest(?::uinteger[])) and text is not null",
            [hookpoint.hookpoint_id, features],
        )
    return [row["explanation_id"] for row in rows]
