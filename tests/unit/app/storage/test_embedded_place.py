"""Where the embedded Postgres keeps its files."""

from pathlib import Path

import pytest

from app.storage.embedded_place import find_place


def test_two_processes_may_make_the_data_directory_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = tmp_path / "data"
    looked = Path.exists

    def exists(path: Path, **options: bool) -> bool:
        found = looked(path, **options)
        if path == data_dir and not found:
            data_dir.mkdir()  # the other process, just after we looked
        return found

    monkeypatch.setattr(Path, "exists", exists)
    # As root it would look for a place that another user can reach, which is another question.
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    place = find_place(data_dir, lambda _: None, shared_place=tmp_path / "shared")
    assert place.control == data_dir / "postgres"
