"""What every runtime must do, on its real framework."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from inference.errors import BadInput, BadModel, MissingFramework
from inference.requests import Floats, Rows
from inference.runtimes.catalog import runtime_for
from inference.runtimes.runtime import Loaded
from tests.contracts.runtimes.cases import Case
from tests.contracts.runtimes.framework_cases import FRAMEWORKS
from tests.contracts.runtimes.local_cases import LOCAL
from tests.contracts.runtimes.torch_cases import TORCH

CASES = {**LOCAL, **TORCH, **FRAMEWORKS}


@dataclass(frozen=True)
class Ready:
    """A saved example, and the same loaded."""

    case: Case
    folder: Path
    loaded: Loaded


def marked(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.framework) if name in FRAMEWORKS else name


@pytest.fixture(scope="module", params=[marked(name) for name in CASES])
def ready(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ready]:
    """Each runtime's trained example."""
    folder = tmp_path_factory.mktemp("artifact")
    case = CASES[request.param](folder)
    loaded = case.made().load(folder, case.member, device="cpu")
    yield Ready(case, folder, loaded)
    loaded.close()


def columns(loaded: Loaded, rows: Rows) -> Floats:
    found = loaded.run(rows).columns
    assert found is not None
    return found


def some(rows: Rows, start: int, stop: int) -> Rows:
    texts = {name: column[start:stop] for name, column in rows.texts.items()}
    return Rows(rows.names, rows.numbers[start:stop], texts)


def test_it_gives_what_the_framework_itself_gives(ready: Ready) -> None:
    rows = ready.case.rows(150)
    found = columns(ready.loaded, rows)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, ready.case.expected(rows), rtol=2e-5, atol=1e-7)


def test_a_row_gives_the_same_alone_and_in_a_batch(ready: Ready) -> None:
    rows = ready.case.rows(150)
    whole = columns(ready.loaded, rows)
    for start, stop in [(0, 1), (1, 2), (7, 8), (63, 64), (149, 150), (3, 5), (10, 140), (20, 84)]:
        part = columns(ready.loaded, some(rows, start, stop))
        if ready.case.exact_batches:
            assert np.array_equal(part, whole[start:stop])
        else:
            np.testing.assert_allclose(part, whole[start:stop], rtol=1e-5, atol=1e-5)


def test_the_same_rows_give_the_same_twice(ready: Ready) -> None:
    rows = ready.case.rows(40)
    assert np.array_equal(columns(ready.loaded, rows), columns(ready.loaded, rows))


def test_contributions_sum_to_what_they_explain(ready: Ready) -> None:
    rows = ready.case.rows(25)
    outputs = ready.loaded.run(rows, explain=True)
    if ready.case.contributions is None:
        assert outputs.contributions is None
        return
    assert outputs.contributions is not None
    assert outputs.contribution_names == rows.names
    np.testing.assert_allclose(
        outputs.contributions.sum(axis=1), ready.case.contributions(rows), rtol=1e-4, atol=1e-4
    )
    assert ready.loaded.run(rows).contributions is None


def test_a_missing_number_is_used_or_refused_by_name(ready: Ready) -> None:
    rows = ready.case.rows(3)
    if not rows.names:
        pytest.skip("it reads texts")
    holed = Rows(rows.names, rows.numbers.copy())
    holed.numbers[1, 0] = np.nan
    if ready.case.missing_allowed:
        assert np.isfinite(columns(ready.loaded, holed)).all()
        assert np.array_equal(columns(ready.loaded, holed)[2], columns(ready.loaded, rows)[2])
        return
    with pytest.raises(BadInput, match=f"row 1, column '{rows.names[0]}' is missing"):
        ready.loaded.run(holed)


def test_an_infinite_number_is_refused_by_name(ready: Ready) -> None:
    rows = ready.case.rows(3)
    if not rows.names:
        pytest.skip("it reads texts")
    wild = Rows(rows.names, rows.numbers.copy())
    wild.numbers[2, 0] = np.inf
    with pytest.raises(BadInput, match=f"row 2, column '{rows.names[0]}' is inf"):
        ready.loaded.run(wild)


def test_rows_without_its_columns_are_refused(ready: Ready) -> None:
    other = Rows(("unheard_of",), np.zeros((2, 1)))
    with pytest.raises(BadInput, match=ready.case.member.name):
        ready.loaded.run(other)


def test_columns_that_do_not_fit_are_refused_when_it_is_loaded(ready: Ready) -> None:
    if ready.case.rows(1).texts:
        pytest.skip("it reads texts")
    wrong = msgspec.structs.replace(ready.case.member, columns=("a", "b", "c"))
    with pytest.raises(BadModel, match="columns"):
        ready.case.made().load(ready.folder, wrong, device="cpu")


def damaged(ready: Ready, folder: Path, change: Callable[[bytes], bytes]) -> Path:
    """Return a copy of the artifact whose main file was changed."""
    shutil.copytree(ready.folder, folder / "copy")
    target = folder / "copy" / str(ready.case.main_file or ready.case.member.file)
    target.write_bytes(change(target.read_bytes()))
    return folder / "copy"


def test_a_file_of_something_else_is_refused(ready: Ready, tmp_path: Path) -> None:
    other = damaged(ready, tmp_path, lambda _: b"\x80\x04\x95 not what it says \x00" * 20)
    with pytest.raises(BadModel, match=str(ready.case.member.file)):
        ready.case.made().load(other, ready.case.member, device="cpu")


def test_half_a_file_is_refused(ready: Ready, tmp_path: Path) -> None:
    half = damaged(ready, tmp_path, lambda whole: whole[: len(whole) // 2])
    with pytest.raises(BadModel, match=str(ready.case.member.file)):
        ready.case.made().load(half, ready.case.member, device="cpu")


def test_a_file_that_is_not_there_is_named(ready: Ready, tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=ready.case.member.file):
        ready.case.made().load(tmp_path, ready.case.member, device="cpu")


def test_an_option_that_is_not_known_is_refused(ready: Ready) -> None:
    options = {**ready.case.member.options, "colour": "red"}
    wrong = msgspec.structs.replace(ready.case.member, options=options)
    with pytest.raises(BadModel, match="colour"):
        ready.case.made().load(ready.folder, wrong, device="cpu")


def test_a_device_that_is_not_there_leaves_it_to_the_cpu(ready: Ready) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("there is one")
    loaded = ready.case.made().load(ready.folder, ready.case.member, device="cuda:1")
    rows = ready.case.rows(5)
    assert np.array_equal(columns(loaded, rows), columns(ready.loaded, rows))
    loaded.close()


def test_it_tells_its_size(ready: Ready) -> None:
    assert ready.loaded.size_bytes > 0


def test_it_can_be_closed_twice(ready: Ready) -> None:
    loaded = ready.case.made().load(ready.folder, ready.case.member, device="cpu")
    loaded.run(ready.case.rows(2))
    loaded.close()
    loaded.close()


def test_a_framework_that_is_not_installed_is_named(
    ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ready.case.hidden is None:
        pytest.skip("it needs none")
    for name in [name for name in sys.modules if name.split(".")[0] == ready.case.hidden]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, ready.case.hidden, None)
    with pytest.raises(MissingFramework, match=rf"outcry\[{ready.case.extra}\]"):
        runtime_for(ready.case.member.runtime).load(ready.folder, ready.case.member, device="cpu")
