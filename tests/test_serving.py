"""The dashboard as a child process: it answers, listens on this machine only, and ends."""

import socket
import subprocess
import sys
import urllib.request

import pytest

from core.serving import Server, free_port, port_is_taken
from data.errors import GlossError


def test_the_server_answers_and_ends(tmp_path):
    with Server(tmp_path / "store") as server:
        page = urllib.request.urlopen(server.address, timeout=10).read().decode()
        assert "streamlit" in page.lower()
        assert port_is_taken(server.port)
    assert not port_is_taken(server.port)


def test_a_taken_port_is_named(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(GlossError, match=f"port {port} is taken"):
            Server(tmp_path / "store", port).__enter__()


def test_a_free_port_is_found():
    assert not port_is_taken(free_port())


def test_a_killed_command_takes_its_server_along(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "core.cli", "serve", "--store", str(tmp_path / "store"),
               "--port", str(port)]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        while "Gloss is at" not in process.stderr.readline():
            assert process.poll() is None
        process.terminate()
        process.wait(20)
    assert not port_is_taken(port)
