"""How good the built-in sentiment scorer is on sentences it was not made on.

    .venv/bin/python -m tests.benchmarks.sentiment_accuracy

prints what `docs/news.md` publishes; a test compares the two.
"""

import sys
from collections import Counter
from pathlib import Path

import msgspec

from tools.analytics import sentiment
from tools.analytics.sentiment import Sentiment

FOLDER = Path(__file__).resolve().parents[1] / "golden" / "sentiment"
LABELS = ("positive", "neutral", "negative")
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
_BINS = 10


class Row(msgspec.Struct, frozen=True):
    """One labelled text and what the scorer made of it."""

    label: str
    kind: str
    text: str
    found: Sentiment


class Measured(msgspec.Struct, frozen=True):
    """The published figures."""

    n: int
    accuracy: float
    macro_f1: float
    majority_accuracy: float
    majority_f1: float
    calibration_error: float
    confusion: dict[tuple[str, str], int]
    """(label, found) -> how many."""
    abstention: list[tuple[float, float, float]]
    """Least confidence, share answered, accuracy on those."""
    by_kind: dict[str, tuple[int, float]]


def load(part: str) -> list[Row]:
    """Return the rows of `development`, `calibration` or `held_out`, scored."""
    lines = (FOLDER / f"{part}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return [Row(label, kind, text, sentiment.score(text)) for label, kind, text in rows]


def measure(rows: list[Row]) -> Measured:
    """Return the figures of scored rows."""
    confusion: Counter[tuple[str, str]] = Counter((row.label, row.found.label) for row in rows)
    labels = Counter(row.label for row in rows)
    most, count = labels.most_common(1)[0]
    guessed = Counter((row.label, most) for row in rows)
    kinds = Counter(row.kind for row in rows)
    return Measured(
        n=len(rows),
        accuracy=_accuracy(rows),
        macro_f1=_macro_f1(confusion),
        majority_accuracy=count / len(rows),
        majority_f1=_macro_f1(guessed),
        calibration_error=_calibration_error(rows),
        confusion={(a, b): confusion[a, b] for a in LABELS for b in LABELS},
        abstention=[
            (least, len(sure) / len(rows), _accuracy(sure))
            for least in THRESHOLDS
            if (sure := [row for row in rows if row.found.confidence >= least])
        ],
        by_kind={
            kind: (n, _accuracy([row for row in rows if row.kind == kind]))
            for kind, n in sorted(kinds.items())
        },
    )


def _accuracy(rows: list[Row]) -> float:
    return sum(row.label == row.found.label for row in rows) / len(rows)


def _macro_f1(confusion: Counter[tuple[str, str]]) -> float:
    scores = []
    for label in LABELS:
        right = confusion[label, label]
        found = sum(confusion[one, label] for one in LABELS)
        there = sum(confusion[label, one] for one in LABELS)
        scores.append(2 * right / (found + there) if found + there else 0.0)
    return sum(scores) / len(scores)


def _calibration_error(rows: list[Row]) -> float:
    """Return the expected calibration error over ten bins of equal width."""
    bins: dict[int, list[Row]] = {}
    for row in rows:
        bins.setdefault(min(int(row.found.confidence * _BINS), _BINS - 1), []).append(row)
    return sum(
        len(inside)
        / len(rows)
        * abs(_accuracy(inside) - sum(row.found.confidence for row in inside) / len(inside))
        for inside in bins.values()
    )


def table(found: Measured) -> str:
    """Return the figures as Markdown."""
    lines = [
        "| | accuracy | macro-F1 |",
        "|---|---|---|",
        f"| always the commonest label | {found.majority_accuracy:.3f} | {found.majority_f1:.3f} |",
        f"| `henry-rules` | **{found.accuracy:.3f}** | **{found.macro_f1:.3f}** |",
        "",
        "| labelled | found positive | neutral | negative |",
        "|---|---|---|---|",
    ]
    for label in LABELS:
        counts = " | ".join(str(found.confusion[label, one]) for one in LABELS)
        lines.append(f"| {label} | {counts} |")
    lines += ["", "| answers from confidence | share answered | accuracy |", "|---|---|---|"]
    lines += [f"| {least:.1f} | {share:.2f} | {right:.3f} |" for least, share, right in
              found.abstention]  # fmt: skip
    lines += ["", "| kind of text | n | accuracy |", "|---|---|---|"]
    lines += [f"| {kind} | {n} | {right:.3f} |" for kind, (n, right) in found.by_kind.items()]
    return "\n".join(lines)


def published(found: Measured) -> str:
    """Return the figures as they stand in `docs/news.md`."""
    error = f"{found.calibration_error:.3f}"
    return f"n = {found.n}, expected calibration error {error}.\n\n{table(found)}"


def main() -> None:
    """Print the figures of the held-out part, or of the part named."""
    part = sys.argv[1] if len(sys.argv) > 1 else "held_out"
    sys.stdout.write(f"{part}: {published(measure(load(part)))}\n")


if __name__ == "__main__":
    main()
