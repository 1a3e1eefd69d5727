"""Run by test_cache.py in a process of its own: cached with kills, against once through.

Forks one child a try, so that libraries are imported once. Prints a line per finding.
"""

import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

import tiny
import torch

from core.cache import CacheSettings, build
from data.errors import StoreTrouble

SETTINGS = CacheSettings(corpus="tiny", tokens=4000, sequence_length=32, shard_tokens=512)


def cache(folder: Path, subject, saes) -> None:
    for _ in build(folder, subject, saes, tiny.texts(40), SETTINGS):
        pass


def child(work) -> int:
    """Start work in a child process."""
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os._exit(0)
    return pid


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def wait_for(folder: Path, shards: int, pid: int) -> None:
    """Wait until so many shards are finished, or the child is."""
    while len(list(folder.glob("*.safetensors"))) < shards:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.001)


def full_disk(folder: Path, subject, saes) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
    try:
        cache(folder, subject, saes)
    except StoreTrouble as error:
        if "no room left" in str(error) and "\n" not in str(error):
            (folder / "said").touch()


def say(what: str, same: bool) -> None:
    sys.stdout.write(f"{what} {'same' if same else 'different'}\n")


def main(root: Path) -> None:
    torch.set_num_threads(1)
    subject = tiny.subject()
    saes = {1: ("layers.1", tiny.sae()), 2: ("layers.2", tiny.sae(seed=5))}
    os.waitpid(child(lambda: cache(root / "whole", subject, saes)), 0)
    want = contents(root / "whole")

    chance, killed = random.Random(7), 0
    for shards in range(8):
        pid = child(lambda: cache(root / "killed", subject, saes))
        wait_for(root / "killed" / "2" / "shards", shards, pid)
        time.sleep(chance.uniform(0.0, 0.03))
        os.kill(pid, signal.SIGKILL)
        killed += os.waitpid(pid, 0)[1] == signal.SIGKILL
    cache(root / "killed", subject, saes)
    say(f"killed {killed}", contents(root / "killed") == want)

    os.waitpid(child(lambda: full_disk(root / "full", subject, saes)), 0)
    said = (root / "full" / "said").exists()
    (root / "full" / "said").unlink(missing_ok=True)
    cache(root / "full", subject, saes)
    say("said" if said else "silent", contents(root / "full") == want)


main(Path(sys.argv[1]))
