"""One feature of the small cached store, for what is asked about a single one."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from core.explain.settings import ExplainerSettings
from core.grammar.settings import Settings
from core.llm.settings import EndpointSettings
from core.pipeline.ask import Ask
from core.pipeline.scorers import Means
from core.pipeline.workbench import Workbench
from data import caches
from data.catalogue import Catalogue
from data.records import HookpointRecord

MODEL = "test-model"


class One(NamedTuple):
    """What the functions about one feature take, in their order."""

    catalogue: Catalogue
    bench: Workbench
    hookpoint: HookpointRecord
    feature: int

    def rows(self, sql: str) -> list[dict]:
        """Read something."""
        with self.catalogue.reading() as con:
            return con.rows(sql)


def first_feature(store: Path) -> One:
    """The first feature with the full protocol."""
    catalogue = Catalogue(store)
    record = caches.cache(catalogue, "small")
    with catalogue.reading() as con:
        feature = con.value("select min(feature) from feature where reason is null")
    return One(catalogue, Workbench.open(catalogue, record), record.hookpoints[0], feature)


def model_ask(url: str, explainer: str = "activations", **more) -> Ask:
    """Explained and judged by one model."""
    endpoint = EndpointSettings(MODEL, url, timeout=20.0)
    means = Means(judge=MODEL, endpoint=endpoint)
    ask = Ask(ExplainerSettings(explainer=explainer, examples=10), endpoint, means=means,
              preset="quick")  # fmt: skip
    return replace(ask, **more)


RULES_ONLY = Ask(Settings(families="token"), means=None)
