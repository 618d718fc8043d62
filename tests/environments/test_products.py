"""Servers of others are started, waited for, and gone afterwards, whatever became of them."""

import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.environments.products import Absent, answers, end, free_port, started

SERVER = """
import subprocess, sys
from http.server import HTTPServer, SimpleHTTPRequestHandler
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
HTTPServer(("127.0.0.1", int(sys.argv[1])), SimpleHTTPRequestHandler).serve_forever()
"""


def command(port: int) -> list[str]:
    return [sys.executable, "-c", SERVER, str(port)]


def test_a_server_runs_until_the_end_of_the_block_and_nothing_of_it_afterwards(
    tmp_path: Path,
) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}/"
    with started(command(port), work=tmp_path, is_ready=lambda: answers(url)) as pid:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        assert len(family) == 2
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert not answers(url)


def test_a_server_that_was_ended_inside_the_block_is_no_trouble(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}/"
    with started(command(port), work=tmp_path, is_ready=lambda: answers(url)) as pid:
        family = psutil.Process(pid).children(recursive=True)
        end(pid)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def test_a_server_that_ends_by_itself_is_absent_in_its_own_last_words(tmp_path: Path) -> None:
    dies = [sys.executable, "-c", "print('there is no room here')"]
    with pytest.raises(Absent, match="there is no room here"):
        with started(dies, work=tmp_path, is_ready=lambda: False):
            raise AssertionError("it was taken for ready")


def test_a_server_that_never_answers_is_given_up_and_ended(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(Absent, match="it said nothing"):
        with started(command(port), work=tmp_path, is_ready=lambda: False, within_s=0.5):
            raise AssertionError("it was taken for ready")
    assert not answers(f"http://127.0.0.1:{port}/")
