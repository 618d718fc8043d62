"""A child process that answers one message at a time, each within a deadline.

For frameworks that must stay out of our process. It inherits no environment but what it is given,
so no key reaches it; it ends when its standard input does, so it never outlives us for long.
"""

import contextlib
import os
import select
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from inference.errors import DeadlineExceeded, ModelFailed, WorkerLost
from inference.runtimes.tensorflow_runner import LENGTH, MOST_BYTES

_CHUNK = 1 << 16
_LAST_LINES = 12
_KILL_WAIT_S = 5.0


class Child:
    """One running process."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            bufsize=0,
        )
        if not self._process.stdin or not self._process.stdout:
            raise RuntimeError("a process started with pipes has none")
        self._into = self._process.stdin.fileno()
        self._out = self._process.stdout.fileno()
        os.set_blocking(self._into, False)
        os.set_blocking(self._out, False)
        self._closed = False
        self._said: deque[str] = deque(maxlen=_LAST_LINES)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def ask(self, message: dict[str, Any], *, deadline_s: float) -> dict[str, Any]:
        """Send one message and return the answer to it.

        Raises:
            DeadlineExceeded: there was none in time; the process is ended, since what it would
                still say belongs to nobody.
            WorkerLost: the process ended.
        """
        if self._closed:
            raise WorkerLost("the model's process was ended")
        until = time.monotonic() + deadline_s
        body = msgspec.msgpack.encode(message)
        try:
            self._send(LENGTH.pack(len(body)) + body, until)
            (length,) = LENGTH.unpack(self._receive(LENGTH.size, until))
            if length > MOST_BYTES:
                raise ModelFailed(f"an answer of {length} bytes is more than {MOST_BYTES}")
            answer: dict[str, Any] = msgspec.msgpack.decode(self._receive(length, until))
        except TimeoutError:
            self.close()
            raise DeadlineExceeded(
                f"the model's process did not answer in {deadline_s:g} s"
            ) from None
        except (BrokenPipeError, EOFError):
            raise WorkerLost(self._farewell()) from None
        except BaseException:
            self.close()
            raise
        return answer

    def close(self) -> None:
        """End it."""
        self._closed = True
        if self._process.poll() is None:
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_WAIT_S)
        self._listener.join(_KILL_WAIT_S)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _send(self, data: bytes, until: float) -> None:
        view = memoryview(data)
        while view:
            left = until - time.monotonic()
            if left <= 0 or not select.select([], [self._into], [], left)[1]:
                raise TimeoutError
            view = view[os.write(self._into, view[:_CHUNK]) :]

    def _receive(self, count: int, until: float) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._out], [], [], left)[0]:
                raise TimeoutError
            part = os.read(self._out, min(_CHUNK, count - len(parts)))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def _listen(self) -> None:
        """Keep the last lines that it says; a full pipe would stop it."""
        if self._process.stderr:
            for line in self._process.stderr:
                self._said.append(line.decode(errors="replace").strip())

    def _farewell(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_WAIT_S)
        self.close()
        code = self._process.returncode
        said = " / ".join(line for line in self._said if line)[-400:]
        return f"the model's process ended ({code}){': ' + said if said else ''}"
