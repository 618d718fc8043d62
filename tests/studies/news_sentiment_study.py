"""Does the trained mixture hear more than the word list? On our own sentences, and honestly few.

    python -m tests.studies.news_sentiment_study                   words and pieces, word list
    python -m tests.studies.news_sentiment_study --encoder FOLDER  and the sentence encoder
    python -m tests.studies.news_sentiment_study --fetch           fetches that one (105 MB) first

Learns from development.tsv and calibration.tsv (147), tests on held_out.tsv (146). Prints the table
of docs/recipes.md.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import numpy as np

from inference.training.evaluation import label_scores
from inference.training.models.sentiment_members import corpus_of
from inference.training.recipe import TextData
from inference.training.recipes.news_sentiment import CLASSES, labelled, learn
from tests.benchmarks.sentiment_accuracy import load
from tools.market.encoder import fetch_encoder


def study(encoder: str) -> list[str]:
    """Return the rows of the table."""
    train, test = load("development") + load("calibration"), load("held_out")
    rows = train + test
    data = TextData(
        tuple(row.text for row in rows),
        tuple(row.label for row in rows),
        numbers={"lexicon_score": tuple(row.found.score for row in rows)},
    )
    _, truth = labelled(data)
    seen, unseen = np.arange(len(train)), np.arange(len(train), len(rows))
    rates = np.bincount(truth[seen]) / len(seen)
    rules = np.array([[getattr(row.found, name) for name in CLASSES] for row in test])
    lines = [
        "| | accuracy | macro-F1 | Brier | calibration error | weights |",
        "|---|---|---|---|---|---|",
        _row("base rates of the training part", np.tile(rates, (len(test), 1)), truth[unseen], ""),
        _row("`henry-rules` as they are", rules, truth[unseen], ""),
    ]
    mixtures = [("tfidf",), ("tfidf", "lexicon")]
    if encoder:
        mixtures += [("minilm",), ("tfidf", "minilm"), ("tfidf", "minilm", "lexicon")]
    for members in mixtures:
        corpus = corpus_of(data.texts, truth, data.numbers, members=members, encoder=encoder)
        found = learn(corpus, data, seen, members=members, seed=0)
        weights = ", ".join(
            f"{name} {weight:.2f}" for name, weight in zip(members, found.weights, strict=True)
        )
        lines.append(
            _row(" + ".join(members), found.probabilities(corpus, unseen), truth[unseen], weights)
        )
    return lines


def _row(name: str, found: np.ndarray, truth: np.ndarray, weights: str) -> str:
    scores = (
        label_scores.accuracy(found, truth),
        label_scores.precision_recall_f1(found, truth)[2],
        float(label_scores.brier(found, truth).mean()),
        label_scores.calibration_error(found, truth),
    )
    return f"| {name} | {' | '.join(f'{score:.3f}' for score in scores)} | {weights} |"


async def main(args: argparse.Namespace) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        encoder = args.encoder
        if args.fetch:
            encoder = str(await fetch_encoder(Path(folder)))
        sys.stdout.write("\n".join(study(encoder)) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="")
    parser.add_argument("--fetch", action="store_true")
    asyncio.run(main(parser.parse_args()))
