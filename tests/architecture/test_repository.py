"""The repository is fit to be published: no machine, no registry, no oversized file in it."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REGISTRY_HOSTS = re.compile(
    "|".join(["files.python" + "hosted.org", "pypi" + r"\.org", "registry.npm" + "js.org"])
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+)/")


def tracked() -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def texts() -> list[tuple[Path, str]]:
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data[:8192]:
            found.append((path, data.decode(errors="replace")))
    return found


def test_no_file_names_a_package_registry() -> None:
    assert [str(path) for path, text in texts() if REGISTRY_HOSTS.search(text)] == []


def test_no_file_holds_a_path_of_the_machine_it_was_written_on() -> None:
    here = Path(__file__).resolve()
    assert [
        f"{path}: {found.group()}"
        for path, text in texts()
        if path != here and (found := MACHINE_PATHS.search(text))
    ] == []


MOST_LINES = 400
MOST_LINES_OF_TESTS = 500
LONG_ON_PURPOSE = {
    "agents/llms/builtin/examples.py": "a list of phrases",
}


def test_no_source_file_grows_past_what_one_reads_at_once() -> None:
    grown = {}
    for path, text in texts():
        name = str(path.relative_to(ROOT))
        limit = MOST_LINES_OF_TESTS if name.startswith("tests/") else MOST_LINES
        # A migration is written once, by a program, and never edited again.
        exempt = name in LONG_ON_PURPOSE or name.startswith("migrations/versions/")
        if path.suffix in {".py", ".ts", ".svelte"} and text.count("\n") > limit and not exempt:
            grown[name] = text.count("\n")
    assert grown == {}


def test_no_file_is_over_one_mebibyte() -> None:
    assert [str(path) for path in tracked() if path.stat().st_size > 1024 * 1024] == []
