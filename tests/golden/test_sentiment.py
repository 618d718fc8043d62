"""The published accuracy of the sentiment scorer is what it measures."""

from pathlib import Path

from tests.benchmarks.sentiment_accuracy import LABELS, load, measure, published

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "news.md").read_text(encoding="utf-8")
PARTS = ("development", "calibration", "held_out")


def test_the_parts_are_apart_and_large_enough() -> None:
    texts = {part: [row.text for row in load(part)] for part in PARTS}
    every = [text for part in PARTS for text in texts[part]]
    assert len(every) == len(set(every)) == 293
    assert len(texts["held_out"]) >= 100
    assert {row.label for part in PARTS for row in load(part)} == set(LABELS)


def test_the_published_figures_are_the_measured_ones() -> None:
    assert published(measure(load("held_out"))) in PAGE


def test_it_beats_the_commonest_label_and_knows_how_sure_it_is() -> None:
    found = measure(load("held_out"))
    assert found.accuracy > found.majority_accuracy + 0.3
    assert found.macro_f1 > 0.75
    assert found.calibration_error < 0.1
    surest = found.abstention[-1]
    assert surest[2] > found.accuracy
