"""Versions of labelled texts are found by their content, and believed only if they hold it."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from inference.datasets.texts import Texts, read_texts, texts_manifest, write_texts
from inference.errors import BadInput, DamagedArtifact

NOW = datetime(2026, 1, 5, tzinfo=UTC)
LATER = datetime(2026, 1, 6, tzinfo=UTC)
TEXTS = Texts(
    texts=("good", "bad"), labels=("positive", "negative"), numbers={"score": (0.5, -0.5)}
)


def test_the_address_is_that_of_the_texts_whenever_they_are_recorded() -> None:
    first = texts_manifest(TEXTS, recorded_at=NOW, source="a.csv")
    again = texts_manifest(TEXTS, recorded_at=LATER, source="b.csv")
    other = texts_manifest(
        msgspec.structs.replace(TEXTS, labels=("positive", "neutral")), recorded_at=NOW, source=""
    )

    assert first.digest() == again.digest() != other.digest()
    assert first.labels == {"negative": 1, "positive": 1}
    assert first.as_of == NOW


def test_texts_with_times_are_known_by_the_newest_of_them() -> None:
    dated = msgspec.structs.replace(TEXTS, times=(LATER, NOW))

    assert texts_manifest(dated, recorded_at=NOW, source="").as_of == LATER


def test_texts_come_back_from_their_file(tmp_path: Path) -> None:
    manifest = texts_manifest(TEXTS, recorded_at=NOW, source="a.csv")

    assert read_texts(write_texts(tmp_path, TEXTS, manifest), manifest) == TEXTS


def test_a_file_that_holds_other_texts_is_refused(tmp_path: Path) -> None:
    manifest = texts_manifest(TEXTS, recorded_at=NOW, source="a.csv")
    path = write_texts(tmp_path, TEXTS, manifest)
    other = msgspec.structs.replace(TEXTS, texts=("good", "worse"))
    moved = write_texts(
        tmp_path / "other", other, texts_manifest(other, recorded_at=NOW, source="")
    )
    path.write_bytes(moved.read_bytes())

    with pytest.raises(DamagedArtifact, match="other texts"):
        read_texts(path, manifest)
    path.write_bytes(b"nothing")
    with pytest.raises(DamagedArtifact, match="cannot be read"):
        read_texts(path, manifest)


def test_columns_of_different_length_are_no_dataset() -> None:
    with pytest.raises(BadInput, match="2 texts and 1 score"):
        texts_manifest(
            msgspec.structs.replace(TEXTS, numbers={"score": (0.5,)}), recorded_at=NOW, source=""
        )
    with pytest.raises(BadInput, match="no texts"):
        texts_manifest(Texts(texts=(), labels=()), recorded_at=NOW, source="")
