"""Commands as they are typed, run in this process: a new one takes seconds to import everything."""

import io
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple
from unittest.mock import patch

from core import cli


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def gloss(*words: str) -> Done:
    """Run a command line to its end."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    handlers = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    with patch.object(sys, "argv", ["gloss", *words]), redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            for one, handler in handlers.items():
                signal.signal(one, handler)
    return Done(code, out.getvalue(), err.getvalue())
