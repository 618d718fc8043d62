"""A child process that answers, hangs, dies or talks too much."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inference.errors import DeadlineExceeded, ModelFailed, WorkerLost
from inference.runtimes import tensorflow_runner
from inference.runtimes.child import Child

FRAMES = f"""
import importlib.util, os, struct, sys, time
spec = importlib.util.spec_from_file_location("frames", {tensorflow_runner.__file__!r})
frames = importlib.util.module_from_spec(spec)
spec.loader.exec_module(frames)
def ask():
    return frames.read_frame(sys.stdin.buffer)
def tell(message):
    frames.write_frame(sys.stdout.buffer, message)
"""
ECHO = """
while (message := ask()) is not None:
    tell({"heard": message})
"""


@contextmanager
def child(script: str) -> Iterator[Child]:
    made = Child([sys.executable, "-c", FRAMES + script], environment={})
    try:
        yield made
    finally:
        made.close()
        made.close()
        assert not made.is_alive


def test_it_answers_one_message_after_another() -> None:
    with child(ECHO) as made:
        for number in range(3):
            assert made.ask({"number": number}, deadline_s=20) == {"heard": {"number": number}}


def test_messages_larger_than_any_pipe_go_both_ways() -> None:
    with child(ECHO) as made:
        data = bytes(range(256)) * 8192
        assert made.ask({"data": data}, deadline_s=20)["heard"]["data"] == data


def test_one_that_does_not_answer_is_ended_at_the_deadline() -> None:
    with child("ask(); time.sleep(3600)") as made:
        with pytest.raises(DeadlineExceeded, match=r"0\.3 s"):
            made.ask({}, deadline_s=0.3)
        assert not made.is_alive
        with pytest.raises(WorkerLost, match="was ended"):
            made.ask({}, deadline_s=0.3)


def test_one_that_does_not_listen_is_ended_at_the_deadline() -> None:
    with child("time.sleep(3600)") as made:
        with pytest.raises(DeadlineExceeded):
            made.ask({"data": bytes(4 * 2**20)}, deadline_s=0.5)


def test_one_that_dies_tells_its_last_words() -> None:
    with child(
        "ask(); sys.stderr.write('out of luck\\n'); sys.stderr.flush(); os._exit(7)"
    ) as made:
        with pytest.raises(WorkerLost, match=r"ended \(7\).*out of luck"):
            made.ask({}, deadline_s=20)


def test_one_that_dies_in_the_middle_of_an_answer_is_lost() -> None:
    with child("ask(); os.write(1, struct.pack('>I', 100) + b'half'); os._exit(0)") as made:
        with pytest.raises(WorkerLost):
            made.ask({}, deadline_s=20)


def test_an_answer_that_says_it_is_gigantic_is_not_waited_for() -> None:
    with child("ask(); os.write(1, b'\\xff' * 64); time.sleep(3600)") as made:
        with pytest.raises(ModelFailed, match="more than"):
            made.ask({}, deadline_s=20)
        assert not made.is_alive


def test_one_that_chatters_without_end_does_not_stop_itself() -> None:
    chatter = "ask(); sys.stderr.write('chatter\\n' * 200_000); tell({'done': True}); ask()"
    with child(chatter) as made:
        assert made.ask({}, deadline_s=20) == {"done": True}


def test_it_ends_when_nobody_writes_to_it_any_more(tmp_path: Path) -> None:
    mark = tmp_path / "ended"
    with child(ECHO + f"\nopen({str(mark)!r}, 'w').close()") as made:
        made.ask({}, deadline_s=20)
        assert made._process.stdin is not None
        made._process.stdin.close()
        made._process.wait(20)
        assert mark.exists()
        made._process.stdin = None
