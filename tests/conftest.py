"""What many tests share: one small run of the real pipeline, and the browser's rule."""

import fcntl
import os
import re
import shutil
import sys
import tempfile
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
os.environ.setdefault("OMP_NUM_THREADS", "1")  # a second thread would take a core of other tests
# What is not compiled yet is compiled once for all processes of the tests, not in each of them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Stores are written to memory where there is enough of it: nobody waits for a disk then.
MEMORY, ENOUGH = Path("/dev/shm"), 6 * 2**30  # bytes
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH:
    tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)

FEATURES = "0-39"
# Files that take longest, first: then all processes come to their end at about the same time.
LONGEST = (
    "test_whole_run", "test_language_stages", "test_pipeline", "test_transformers_serve",
    "test_diff_tuned", "test_baselines_stage", "test_inspecting_hostile", "test_cache",
    "test_replies_store", "test_demonstration", "test_view_reexplain", "test_view_runs",
    "test_demo_files", "test_inspecting", "test_caching_again", "test_caching_stage",
    "test_grammar_few", "test_sweeping",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring those files to the front, in turn with the browser's, which wait more than they work.

    Within a file nothing is moved.
    """
    browsers = sorted({item.path.stem for item in items if item.path.parent.name == "browser"})
    order = {name: 2 * at for at, name in enumerate(browsers)}
    order |= {name: 2 * at + 1 for at, name in enumerate(LONGEST)}
    last = 2 * len(items)  # while a list is being sorted its length is 0
    items.sort(key=lambda item: order.get(item.path.stem, last))


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a test's own; not removed at once, for a page may still be read ahead from it."""
    made = tmp_path_factory.mktemp(re.sub(r"\W", "_", request.node.name)[:30])
    _made.setdefault(request.path, []).append(made)
    return made


_made: dict[Path, list[Path]] = {}  # the folders of tests by test file


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Remove what all files but the last three wrote; after a failure everything is kept."""
    if item.session.testsfailed or nextitem is None or nextitem.path == item.path:
        return
    for old in list(_made)[:-3]:
        for folder in _made.pop(old):
            shutil.rmtree(folder, ignore_errors=True)


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


@pytest.fixture(scope="session")
def things(tmp_path_factory) -> Path:
    """A subject, SAEs in several arrangements and a text, in one folder; only to be read."""
    from cached_things import make_things

    return make_things(tmp_path_factory.mktemp("things"))


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
