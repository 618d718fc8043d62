"""A version's address is that of its content, and its file is believed only if it holds that."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from inference.datasets.snapshots import read_snapshot, snapshot_path, write_snapshot
from inference.datasets.versions import manifest_of, read_manifest, time_splits
from inference.errors import BadInput, DamagedArtifact
from inference.panel import Panel
from tests.fakes.panels import random_panel


def test_the_same_bars_have_the_same_address_in_whatever_order() -> None:
    panel = random_panel()
    turned = Panel("1d", panel.series[::-1])

    assert manifest_of(panel).digest() == manifest_of(turned).digest()


def test_one_other_price_is_another_address() -> None:
    panel = random_panel()
    changed = panel.series[1].close.copy()
    changed[-1] *= 1.0000001
    other = Panel("1d", (panel.series[0], replace(panel.series[1], close=changed)))

    assert manifest_of(panel).digest() != manifest_of(other).digest()


def test_unknown_volumes_are_the_same_whatever_bits_their_nan_has() -> None:
    panel = random_panel(("AAA",))
    one, other = panel.series[0].volume.copy(), panel.series[0].volume.copy()
    one[3] = np.nan
    other[3] = -np.float64("nan")
    addresses = {
        manifest_of(Panel("1d", (replace(panel.series[0], volume=column),))).digest()
        for column in (one, other)
    }

    assert len(addresses) == 1


def test_a_manifest_says_spans_rows_and_the_data_cut() -> None:
    manifest = manifest_of(random_panel(("BBB", "AAA"), 300), sources={"AAA": "somebody"})

    assert manifest.symbols == ("AAA", "BBB")
    assert manifest.rows == 600
    assert manifest.as_of == max(one.last for one in manifest.series)
    assert manifest.series[0].source == "somebody"


def test_a_stored_manifest_keeps_its_address() -> None:
    manifest = manifest_of(random_panel())
    stored = msgspec.json.decode(msgspec.json.encode(manifest))

    assert read_manifest(stored).digest() == manifest.digest()


def test_an_empty_panel_is_no_dataset() -> None:
    with pytest.raises(BadInput, match="no bars"):
        manifest_of(Panel("1d", ()))


def test_splits_part_time_and_keep_a_moment_together() -> None:
    panel = random_panel(("AAA", "BBB", "CCC"), 100)
    splits = time_splits(panel)

    assert splits.train + splits.validation + splits.test == pytest.approx(1.0)
    assert splits.train == pytest.approx(0.6)
    assert splits.train_until < splits.validation_until


def test_a_snapshot_comes_back_number_by_number(tmp_path: Path) -> None:
    panel = random_panel()
    manifest = manifest_of(panel)
    path = write_snapshot(tmp_path, panel, manifest)

    back = read_snapshot(path, manifest)

    assert [one.symbol for one in back.series] == ["AAA", "BBB"]
    for was, now in zip(panel.series, back.series, strict=True):
        assert (was.times == now.times).all()
        assert (was.close == now.close).all()
    assert back.bars_a_year == panel.bars_a_year


def test_writing_a_version_again_leaves_it_alone(tmp_path: Path) -> None:
    panel = random_panel()
    manifest = manifest_of(panel)
    first = write_snapshot(tmp_path, panel, manifest)
    was = first.stat().st_mtime_ns

    assert write_snapshot(tmp_path, panel, manifest) == first
    assert first.stat().st_mtime_ns == was
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


def test_two_who_write_one_version_at_once_both_find_it(tmp_path: Path) -> None:
    panel = random_panel()
    manifest = manifest_of(panel)
    for round_ in range(5):
        root = tmp_path / str(round_)
        with ThreadPoolExecutor(4) as pool:
            paths = list(pool.map(lambda at: write_snapshot(at, panel, manifest), [root] * 4))
        assert len(set(paths)) == 1
        assert [path.name for path in root.iterdir()] == [paths[0].name]


@pytest.mark.parametrize("harm", ["cut", "garbage", "other"])
def test_a_file_that_does_not_hold_its_version_is_refused(tmp_path: Path, harm: str) -> None:
    panel = random_panel()
    manifest = manifest_of(panel)
    path = write_snapshot(tmp_path, panel, manifest)
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif harm == "garbage":
        path.write_bytes(b"nothing of the kind")
    else:
        other = random_panel(("AAA", "CCC"))
        path.write_bytes(write_snapshot(tmp_path / "b", other, manifest_of(other)).read_bytes())

    with pytest.raises(DamagedArtifact, match=path.name[:12]):
        read_snapshot(path, manifest)


def test_a_snapshot_that_is_not_there_says_so(tmp_path: Path) -> None:
    manifest = manifest_of(random_panel())

    with pytest.raises(FileNotFoundError):
        read_snapshot(snapshot_path(tmp_path, manifest.digest()), manifest)
