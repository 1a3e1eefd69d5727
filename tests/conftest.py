"""What many tests share: one small run of the real pipeline, and the browser's rule."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small import SMALL

from core.environment import prepare
from core.grammar.settings import Settings
from core.pipeline.caching import cache_stage
from core.pipeline.explaining import ExplainRequest, explain_stage
from core.pipeline.judging import ScoreRequest
from core.pipeline.scoring import score_stage
from data.catalogue import Catalogue

prepare()

FEATURES = "0-39"


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Let the first process that needs a folder make it, for all that run these tests."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / name).exists():
            draft = factory.mktemp(name)
            make(draft / "store")
            (draft / "store").rename(shared / name)
    return shared / name


@pytest.fixture(scope="session")
def cached_store(tmp_path_factory) -> Path:
    """The bundled subject's SAE, cached over 40,000 tokens at one hookpoint; only to be read."""
    return made_once(
        tmp_path_factory, "cached", lambda store: list(cache_stage(Catalogue(store), SMALL))
    )


@pytest.fixture(scope="session")
def scored_store(cached_store, tmp_path_factory) -> Path:
    """The same with 40 features explained and scored; only to be read."""

    def score(store: Path) -> None:
        shutil.copytree(cached_store, store)
        catalogue = Catalogue(store)
        list(explain_stage(catalogue, ExplainRequest("small", (), FEATURES, Settings(), workers=1)))
        list(score_stage(catalogue, ScoreRequest("small", (), FEATURES, workers=1)))

    return made_once(tmp_path_factory, "scored", score)


@pytest.fixture
def fresh_store(cached_store, tmp_path) -> Path:
    """A private copy of the cached store."""
    shutil.copytree(cached_store, tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Debian's Chromium; skipped where there is none, except where that would hide a failure."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.environ.get("GLOSS_REQUIRE_BROWSER"):
        pytest.fail("no chromium on this machine, and the browser tests must not be skipped")
    if found is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    return found
