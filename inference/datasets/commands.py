"""Other people's commands, run with a deadline and little of the environment.

A command gets PATH, HOME, proxies and what the clouds' libraries look for; no key of the desk.
"""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from inference.errors import MissingFramework

_KEPT = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE")
_KEPT_OF_CLOUDS = ("AWS_", "AZURE_", "GOOGLE_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""Where remotes look for their credentials, and their way there."""
_MOST_SAID = 400


class TookTooLong(Exception):
    """The command did not end in time, and was killed with whatever it had started."""


class Ended(msgspec.Struct, frozen=True):
    """How a command ended."""

    rc: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """The errors among what it printed, else the end of it."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
        return "; ".join(errors or lines[-2:] or ["it said nothing"])[:_MOST_SAID]


def find_command(name: str, *, module: str, path: str | None = None) -> tuple[str, ...]:
    """Return a command: this environment's, or the one on the PATH (`path`: another one).

    Raises:
        MissingFramework: there is none.
    """
    if find_spec(name) is not None:
        return (sys.executable, "-m", module)
    found = shutil.which(name, path=path)
    if found is None:
        raise MissingFramework(name, extra=name)
    return (found,)


async def run_cleanly(
    command: Sequence[str],
    *,
    within: float,
    folder: Path,
    environment: Mapping[str, str],
    more: Mapping[str, str],
) -> Ended:
    """Run a command in a folder; `more` is put into what it gets of the environment.

    Raises:
        TookTooLong: it did not end in `within` seconds.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name in _KEPT or name.upper().startswith(_KEPT_OF_CLOUDS)
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=kept | {"NO_COLOR": "1"} | dict(more),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(within):
            out, err = await process.communicate()
    except TimeoutError:
        raise TookTooLong from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return Ended(
        process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")
    )
