"""Datasets between two desks by a DVC repository, on the real `dvc` and on a stand-in.

The real one needs an environment of its own: `python -m tests.environments.run dvc`.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from app.domain.datasets import DataSource
from app.domain.errors import Conflict, NotFound
from app.services.datasets.dataset_remotes import DatasetRemotes
from app.services.datasets.datasets import BarsWanted
from app.storage.dataset_catalog import StoredDatasets
from app.storage.datasets import PostgresDatasets
from app.storage.engine import Database
from inference.datasets import commands
from inference.datasets.dvc_repository import DvcFailed, DvcRepository, find_dvc
from inference.errors import DamagedArtifact, MissingFramework
from tests.integration.features.feature_desk import FeatureDesk

PYTHON = os.environ.get("OUTCRY_TEST_DVC_PYTHON")
STAND_IN = Path(__file__).parents[2] / "fakes" / "dvc_command.py"
LINES = ("time,symbol,close", *(f"2024-01-{day:02d},AAA,{100 + day}.5" for day in range(1, 15)))


@pytest.fixture(
    params=[
        "stand_in",
        pytest.param("dvc", marks=[pytest.mark.framework, pytest.mark.timeout(240)]),
    ]
)
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    if request.param == "stand_in":
        return sys.executable, str(STAND_IN)
    if PYTHON is None:
        pytest.skip("DVC needs an environment of its own: python -m tests.environments.run dvc")
    return PYTHON, "-m", "dvc"


class Place:
    """One desk after another over one database, and the folders between them."""

    def __init__(self, database: Database, folder: Path, command: Sequence[str]) -> None:
        self.database, self.folder, self.command = database, folder, command
        self.shared = folder / "shared"
        self.desk = FeatureDesk(database, folder / "a")
        (folder / "a").mkdir()
        self.remotes = self._remotes(self.desk)

    def _remotes(self, desk: FeatureDesk) -> DatasetRemotes:
        store: StoredDatasets = desk.catalog._store  # type: ignore[assignment]
        root = desk.folder / "datasets"
        return DatasetRemotes(desk.catalog, store, PostgresDatasets(self.database), root)

    def repository(self, name: str = "a", **more: float) -> DvcRepository:
        environment = {**os.environ, "OPENAI_API_KEY": "a secret of the desk"}
        return DvcRepository(
            self.folder / f"repo-{name}", self.command, environment=environment, **more
        )

    async def next_desk(self) -> DvcRepository:
        """Begin another desk, with a clone of the repository but not of its cache."""
        await self.database.execute("DELETE FROM datasets")
        (self.folder / "b").mkdir()
        self.desk = FeatureDesk(self.database, self.folder / "b")
        self.remotes = self._remotes(self.desk)
        shutil.copytree(
            self.folder / "repo-a",
            self.folder / "repo-b",
            ignore=shutil.ignore_patterns("cache", "tmp"),
        )
        return self.repository("b")


@pytest.fixture
async def place(database: Database, tmp_path: Path, command: tuple[str, ...]) -> Place:
    place = Place(database, tmp_path, command)
    await place.desk.collect("closes", LINES)
    return place


async def test_a_version_is_pushed_and_pulled_to_another_desk_value_by_value(place: Place) -> None:
    pushed = await place.remotes.push("closes", place.repository(), remote=str(place.shared))
    theirs = await place.desk.catalog.profile((await place.desk.catalog.find("closes")).id)
    repository = await place.next_desk()

    pulled = await place.remotes.pull("closes@1", repository, remote=str(place.shared))

    assert (pushed.name, pushed.version, pushed.size) == ("closes", 1, 14)
    assert (pulled.fetched, pulled.version.digest) == (True, pushed.digest)
    dataset = await place.desk.catalog.find("closes")
    # Reading a profile compares the file with its address.
    mine = await place.desk.catalog.profile(dataset.id)
    assert msgspec.structs.replace(mine, dataset_id=theirs.dataset_id) == theirs
    assert (dataset.status, dataset.size) == ("ready", 14)
    assert sum(dataset.splits.values()) == pytest.approx(1.0)
    again = await place.remotes.pull("closes", repository, remote=str(place.shared))
    assert (again.fetched, again.version) == (False, pulled.version)
    # Nothing lies about in the repository but pointers and the list.
    left = [path.name for path in (repository.folder / "outcry").rglob("*") if path.is_file()]
    assert sorted(one for one in left if one != ".gitignore") == [
        "1.json",
        f"{pushed.digest}.table.parquet.dvc",
    ]


async def test_a_default_remote_needs_no_word_and_none_at_all_is_said(place: Place) -> None:
    repository = place.repository()
    with pytest.raises(DvcFailed, match="no default remote"):
        await place.remotes.push("closes", repository, remote=None)
    await repository.remote(str(place.shared))
    config = repository.folder / ".dvc" / "config"
    (name,) = (word for word in config.read_text().replace('"', " ").split() if "outcry-" in word)
    with config.open("a") as file:
        file.write(f"[core]\n    remote = {name.rstrip(chr(93)).rstrip(chr(39))}\n")
    if "no_scm" in config.read_text():
        text = config.read_text().replace("[core]\n    no_scm = True\n", "", 1)
        config.write_text(text.replace("[core]\n", "[core]\n    no_scm = True\n", 1))

    await place.remotes.push("closes", repository, remote=None)

    assert any(path.is_file() for path in place.shared.rglob("*"))


async def test_what_was_damaged_on_the_way_is_refused_and_recorded_nowhere(place: Place) -> None:
    await place.remotes.push("closes", place.repository(), remote=str(place.shared))
    repository = await place.next_desk()
    for path in [path for path in place.shared.rglob("*") if path.is_file()]:
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-9] + b"something")

    with pytest.raises((DvcFailed, DamagedArtifact)):
        await place.remotes.pull("closes", repository, remote=str(place.shared))

    assert (await place.desk.catalog.page(type=None, status=None, cursor=None, limit=9)).items == []
    assert not list((place.folder / "b").rglob("*.parquet"))


async def test_a_file_that_dvc_believes_and_the_address_does_not_is_refused(place: Place) -> None:
    """Somebody put another file into the repository, with a pointer that fits it."""
    mine = place.repository()
    pushed = await place.remotes.push("closes", mine, remote=str(place.shared))
    await place.desk.collect("closes", (*LINES[:-1], "2024-01-14,AAA,9999"))
    other = await place.remotes.push("closes", mine, remote=str(place.shared))
    assert other.version == 2
    files = mine.folder / "outcry" / "files"
    pointer = (files / f"{other.file}.dvc").read_text().replace(other.file, pushed.file)
    (files / f"{pushed.file}.dvc").chmod(0o644)
    (files / f"{pushed.file}.dvc").write_text(pointer)
    repository = await place.next_desk()

    with pytest.raises(DamagedArtifact, match="holds other values"):
        await place.remotes.pull("closes@1", repository, remote=str(place.shared))

    assert not list((place.folder / "b").rglob("*.parquet"))
    assert not list((repository.folder / "outcry").rglob("*.parquet"))
    assert (await place.remotes.pull("closes", repository, remote=str(place.shared))).fetched


async def test_an_entry_that_is_not_its_address_is_refused(place: Place) -> None:
    await place.remotes.push("closes", place.repository(), remote=str(place.shared))
    repository = await place.next_desk()
    (entry,) = repository.folder.rglob("1.json")
    entry.write_text(entry.read_text().replace('"rows": 14', '"rows": 15'))

    with pytest.raises(DamagedArtifact, match="not what its address says"):
        await place.remotes.pull("closes", repository, remote=str(place.shared))
    entry.write_text("{")
    with pytest.raises(DamagedArtifact, match="cannot be read"):
        await place.remotes.pull("closes", repository, remote=str(place.shared))


async def test_what_is_not_there_is_told_by_name(place: Place) -> None:
    repository, remote = place.repository(), str(place.shared)
    with pytest.raises(NotFound, match="no version 9"):
        await place.remotes.push("closes@9", repository, remote=remote)
    with pytest.raises(NotFound, match="no dataset"):
        await place.remotes.push("nothing", repository, remote=remote)
    with pytest.raises(NotFound, match="none of that name"):
        await place.remotes.pull("closes", repository, remote=remote)
    await place.remotes.push("closes", repository, remote=remote)
    with pytest.raises(NotFound, match="it has @1"):
        await place.remotes.pull("closes@2", repository, remote=remote)


async def test_a_remote_that_cannot_be_reached_is_told_in_its_words(place: Place) -> None:
    place.shared.write_text("a file where a folder should be")
    with pytest.raises(DvcFailed, match="dvc push: "):
        await place.remotes.push("closes", place.repository(), remote=str(place.shared))
    with pytest.raises(DvcFailed, match="nowhere"):
        await place.remotes.push("closes", place.repository(), remote="nowhere")


async def test_an_archived_dataset_takes_nothing_and_a_known_one_keeps_its_source(
    place: Place,
) -> None:
    repository, remote = place.repository(), str(place.shared)
    await place.remotes.push("closes", repository, remote=remote)
    dataset = await place.desk.catalog.find("closes")
    (place.desk.folder / "datasets").rename(place.desk.folder / "gone")

    pulled = await place.remotes.pull("closes", repository, remote=remote)

    assert (pulled.fetched, pulled.version.version) == (True, 1)
    after = await place.desk.catalog.find("closes")
    assert after.source == dataset.source == DataSource(type="file", uri="closes.csv")
    await place.desk.catalog.archive(dataset.id)
    with pytest.raises(Conflict, match="archived"):
        await place.remotes.pull("closes", repository, remote=remote)


async def test_bars_of_a_training_travel_as_well(place: Place) -> None:
    await place.desk.stock("AAA", bars=120)
    made = await place.desk.datasets.record_bars(BarsWanted(as_of=place.desk.now), by=None)
    await place.remotes.push(made.version.name, place.repository(), remote=str(place.shared))
    repository = await place.next_desk()

    pulled = await place.remotes.pull(made.version.name, repository, remote=str(place.shared))

    panel = await place.desk.datasets.read(await place.desk.datasets.recorded(made.version.digest))
    assert pulled.version.digest == made.version.digest
    assert [(one.symbol, len(one)) for one in panel.series] == [("AAA", 120)]


async def test_a_dvc_that_hangs_is_ended(tmp_path: Path) -> None:
    script = tmp_path / "hang.py"
    script.write_text("import time\ntime.sleep(600)\n")
    repository = DvcRepository(
        tmp_path, [sys.executable, str(script)], environment=os.environ, transfer_s=0.2
    )
    file = tmp_path / "x.parquet"
    file.write_bytes(b"x")

    with pytest.raises(DvcFailed, match=r"took longer than 0\.2 s"):
        await repository.push(file, remote=())

    assert not list((tmp_path / "outcry").rglob("*.parquet"))


def test_without_dvc_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingFramework, match=r"pip install 'outcry\[dvc\]'"):
        find_dvc()
