"""Run by test_inspecting_hostile.py: questions, forked from a process that has imported all.

A line of JSON in is a question, a line out has its exit code and what it wrote. What differs from
`python -m data.answering` is only that DuckDB was loaded before.
"""

import io
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from unittest.mock import patch


class Questions:
    """Stands for `subprocess` in data.inspecting; its Popen is one question."""

    PIPE, DEVNULL, TimeoutExpired = subprocess.PIPE, subprocess.DEVNULL, subprocess.TimeoutExpired

    def __init__(self, process):
        self.process = process
        self.asked = 0

    def Popen(self, command, **_kept):
        assert command[1:] == ["-P", "-m", "data.answering"]
        return Question(self)


class Question:
    """One question, answered when its text is there."""

    def __init__(self, owner):
        self.owner = owner

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def kill(self):
        pass

    def communicate(self, given, timeout):
        self.owner.asked += 1
        self.owner.process.stdin.write(given + b"\n")
        self.owner.process.stdin.flush()
        done = json.loads(self.owner.process.stdout.readline())
        self.returncode = done["code"]
        return done["out"], None


@contextmanager
def forked(environment):
    """Let the questions of data.inspecting be forked from one process; gives their count."""
    with subprocess.Popen(
        [sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env=environment, start_new_session=True,
    ) as process:  # fmt: skip
        questions = Questions(process)
        with patch("data.inspecting.subprocess", questions):
            yield questions
        process.stdin.close()


def answered(line: str) -> dict:
    """Answer one question in a child, as its own process would."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.close(read)
            os.dup2(write, 1)
            sys.stdin = io.StringIO(line)
            answering.main()
            sys.stdout.flush()
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    with open(read, encoding="utf-8") as pipe:
        out = pipe.read()
    return {"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "out": out}


if __name__ == "__main__":
    from data import answering

    for asked in sys.stdin:
        sys.stdout.write(json.dumps(answered(asked)) + "\n")
        sys.stdout.flush()
