"""Packages that others import without using are read when something of them is asked for."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from agents.later import import_later

READ = "big_read"
"""What the package's file counts its runs in."""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package that counts how often its file ran, imported for later."""
    folder = tmp_path / "big"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        f"import sys\nsys.modules.setdefault({READ!r}, []).append(1)\n"
        "from big.part import NAME\nTWICE = NAME * 2\n"
    )
    (folder / "part.py").write_text("NAME = 'part'\n")
    monkeypatch.syspath_prepend(tmp_path)
    import_later("big")
    yield sys.modules["big"]
    for name in ("big", "big.part", READ):
        sys.modules.pop(name, None)


def runs() -> int:
    return len(sys.modules.get(READ, ()))


def test_its_parts_are_there_before_it_is_read(package: ModuleType) -> None:
    assert importlib.import_module("big.part").NAME == "part"
    assert importlib.import_module("big") is package
    assert runs() == 0


def test_it_is_read_once_when_something_is_asked_for(package: ModuleType) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: package.TWICE, range(8))) == {"partpart"}
    assert package.NAME == "part"
    assert runs() == 1


def test_what_it_does_not_have_is_missing(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="'big' has no attribute 'more'"):
        _ = package.more
    assert not hasattr(package, "more")
    assert runs() == 1


def test_what_is_there_or_absent_is_left_alone() -> None:
    import_later("no_such_package")
    assert "no_such_package" not in sys.modules
    import_later("json")
    assert type(sys.modules["json"]) is ModuleType


def test_the_types_of_the_tracing_service_are_read_by_whoever_traces() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from agents.runner import load_graphs; load_graphs()\n"
            "count = lambda: sum(name.startswith('langsmith.types.') for name in sys.modules)\n"
            "before = count(); from langsmith.types import Dataset; print(before < 10 < count())",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "True\n"
