"""Does a text say something good or bad about its subject? Learned from labels that users bring.

An ensemble of up to three members (`inference/training/models/sentiment_members.py`), whose
probabilities are mixed with weights fitted on forecasts of texts that the members had not seen.
Nobody's labels are shipped: what it can do depends on whose texts it learned from, and the card
says how many.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.bundle import Bundle, Head, InputColumn
from inference.cards import Evaluation, Framework, ModelParameters, ModelPerformance, ModelType
from inference.errors import BadInput
from inference.requests import Floats
from inference.training.evaluation import label_scores
from inference.training.evaluation.label_scores import Indices
from inference.training.evaluation.text_folds import Fold, folds, groups_of
from inference.training.models.label_calibration import (
    LabelCalibration,
    apply_labels,
    calibrate_labels,
)
from inference.training.models.sentiment_members import (
    LEXICON_SCORE,
    MEMBERS,
    TEXT,
    Corpus,
    corpus_of,
    fit,
    probabilities,
    require_scikit_learn,
    stored,
)
from inference.training.recipe import (
    Progress,
    TextData,
    TooLittleData,
    Trained,
    TrainingData,
    with_defaults,
)

CLASSES = ("positive", "neutral", "negative")
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
LEAST_TEXTS, LEAST_OF_A_LABEL = 60, 12
_SAME = {
    "positive": 0, "pos": 0, "bullish": 0,
    "neutral": 1, "neu": 1,
    "negative": 2, "neg": 2, "bearish": 2,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Mixture:
    """Fitted members and how they are mixed."""

    models: dict[str, Any]
    weights: Floats
    calibration: LabelCalibration

    def probabilities(self, corpus: Corpus, at: Indices) -> Floats:
        """Return the mixed probabilities of the texts at these places."""
        each = [probabilities(name, model, corpus, at) for name, model in self.models.items()]
        return apply_labels(self.calibration.head, mix(each, self.weights))


def mix(members: Sequence[Floats], weights: Floats) -> Floats:
    """Return the weighted mean of the members' probabilities."""
    return np.asarray(sum(weight * one for weight, one in zip(weights, members, strict=True)))


class NewsSentiment:
    """The recipe."""

    name = "news_sentiment"
    task = "sentiment"
    model_type: ModelType = "nlp"
    framework: Framework = "scikit_learn"
    description = (
        "How a headline sounds (positive, neutral, negative), learned from labelled texts of yours"
    )
    extras = ("sklearn", "onnx")
    defaults: Mapping[str, Any] = {"members": ("tfidf", "lexicon"), "encoder": "", "folds": 5}

    def train(self, data: TrainingData, options: Mapping[str, Any], progress: Progress) -> Trained:
        """Learn from labelled texts; see `inference.training.recipe.Recipe`."""
        chosen = with_defaults(self, options)
        members = _members(chosen["members"])
        texts, truth = labelled(data.texts)
        if not 2 <= chosen["folds"] <= 20:
            raise BadInput(f"the option 'folds' is {chosen['folds']}; it must be from 2 to 20")
        require_scikit_learn()
        progress(0.0, f"reading {len(truth):,} labelled texts")
        corpus = corpus_of(
            texts.texts, truth, texts.numbers, members=members, encoder=chosen["encoder"]
        )
        parts = folds(texts, truth, count=chosen["folds"], seed=data.seed)
        forecast = np.full((len(truth), len(CLASSES)), np.nan)
        alone = {name: forecast.copy() for name in (*members, "base rates", "commonest label")}
        for index, (train, test) in enumerate(parts):
            progress(0.1 + 0.7 * index / len(parts), f"fold {index + 1} of {len(parts)}")
            mixture = learn(corpus, texts, train, members=members, seed=data.seed)
            forecast[test] = mixture.probabilities(corpus, test)
            for name, model in mixture.models.items():
                alone[name][test] = probabilities(name, model, corpus, test)
            rates = np.bincount(truth[train], minlength=len(CLASSES)) / len(train)
            alone["base rates"][test] = rates
            alone["commonest label"][test] = np.eye(len(CLASSES))[rates.argmax()]
        progress(0.85, "learning from all texts")
        every = np.arange(len(truth))
        final = learn(corpus, texts, every, members=members, seed=data.seed)
        at = np.flatnonzero(~np.isnan(forecast[:, 0]))
        evaluation = _evaluate(data, texts, truth, at, forecast, alone, parts, members)
        precision, recall, f1 = label_scores.precision_recall_f1(forecast[at], truth[at])
        progress(1.0, "done")
        files, bundle = _store(final, encoder=chosen["encoder"])
        return Trained(
            bundle=bundle,
            files=files,
            evaluation=evaluation,
            performance=ModelPerformance(
                accuracy=label_scores.accuracy(forecast[at], truth[at]),
                precision=precision,
                recall=recall,
                f1_score=f1,
                auc=label_scores.auc(forecast[at], truth[at]),
            ),
            parameters=ModelParameters(
                input_shape=(len(bundle.inputs),),
                output_shape=(len(CLASSES),),
                loss_function="cross entropy",
                custom_params={
                    "weights": dict(zip(members, map(float, final.weights), strict=True)),
                    "calibration": final.calibration.method,
                    "texts": len(truth),
                },
            ),
            notes=(
                "Learned from one kind of text, it loses accuracy on another: 9 to 17 points were "
                "measured between news sentences and posts.",
                "It reads English; the member 'lexicon' is a word list for company news.",
            ),
            metrics={
                "calibration": {"used": final.calibration.method, **final.calibration.tried},
                "abstention": [
                    {"leastConfidence": least, "answered": share, "accuracy": right}
                    for least, share, right in label_scores.abstention(
                        forecast[at], truth[at], THRESHOLDS
                    )
                ],
            },
        )


def labelled(data: TextData | None) -> tuple[TextData, Indices]:
    """Return the texts and the index of each one's label in `CLASSES`.

    Raises:
        BadInput: there are none, or a label is not one of three.
        TooLittleData: there are too few.
    """
    if data is None:
        raise BadInput("the recipe 'news_sentiment' learns from labelled texts; there are none")
    for index, label in enumerate(data.labels):
        if label.strip().casefold() not in _SAME:
            raise BadInput(
                f"text {index} is labelled {label[:40]!r}; the labels are {', '.join(CLASSES)}"
            )
    truth = np.array([_SAME[label.strip().casefold()] for label in data.labels], dtype=np.int64)
    counts = np.bincount(truth, minlength=len(CLASSES))
    if len(truth) < LEAST_TEXTS or counts.min() < LEAST_OF_A_LABEL:
        said = ", ".join(f"{n} {label}" for label, n in zip(CLASSES, counts, strict=True))
        raise TooLittleData(
            f"there are {len(truth)} labelled texts ({said}); {LEAST_TEXTS} are needed, and "
            f"{LEAST_OF_A_LABEL} of each label"
        )
    return data, truth


def learn(
    corpus: Corpus, texts: TextData, at: Indices, *, members: Sequence[str], seed: int
) -> Mixture:
    """Return members fitted to the texts at these places, with weights fitted out of fold."""
    truth = corpus.truth[at]
    unseen = {name: np.empty((len(at), len(CLASSES))) for name in members}
    inner = TextData(
        texts=tuple(texts.texts[index] for index in at),
        labels=tuple(texts.labels[index] for index in at),
        groups=tuple(map(str, groups_of(texts)[at])),
    )
    parts = folds(inner, truth, count=3, seed=seed)
    for train, test in parts:
        for name in members:
            model = fit(name, corpus, at[train])
            unseen[name][test] = probabilities(name, model, corpus, at[test])
    weights = label_scores.mixture_weights(list(unseen.values()), truth)
    calibration = calibrate_labels(
        mix(list(unseen.values()), weights), truth, [test for _, test in parts]
    )
    return Mixture({name: fit(name, corpus, at) for name in members}, weights, calibration)


def _members(given: Sequence[Any]) -> tuple[str, ...]:
    if not given or len(set(given)) != len(given) or not set(given) <= set(MEMBERS):
        raise BadInput(f"the option 'members' is {list(given)}; it names some of {list(MEMBERS)}")
    return tuple(name for name in MEMBERS if name in given)


def _store(final: Mixture, *, encoder: str) -> tuple[dict[str, bytes], Bundle]:
    made = [
        stored(name, model, weight=float(weight), encoder=encoder)
        for (name, model), weight in zip(final.models.items(), final.weights, strict=True)
    ]
    files = {path: content for _, some in made for path, content in some.items()}
    columns = {
        column: InputColumn(name=column, kind="text" if column == TEXT else "numeric")
        for member, _ in made
        for column in member.columns or ()
    }
    bundle = Bundle(
        name=NewsSentiment.name,
        recipe=NewsSentiment.name,
        task=NewsSentiment.task,
        model_type=NewsSentiment.model_type,
        framework=NewsSentiment.framework,
        inputs=tuple(columns.values()),
        members=tuple(member for member, _ in made),
        combine="mean" if len(made) > 1 else "single",
        head=Head(
            kind="classes",
            classes=CLASSES,
            calibration=final.calibration.head,
        ),
        event="a careful reader would label this text positive, neutral or negative for an "
        "investor in its subject",
        unit="label",
        max_batch=64,
    )
    return files, bundle


def _evaluate(
    data: TrainingData,
    texts: TextData,
    truth: Indices,
    at: Indices,
    forecast: Floats,
    alone: Mapping[str, Floats],
    parts: Sequence[Fold],
    members: Sequence[str],
) -> Evaluation:
    losses = label_scores.brier(forecast[at], truth[at])
    groups = groups_of(texts)[at]
    rivals = ["base rates", "commonest label", *(["lexicon"] if members != ("lexicon",) else [])]
    times = [texts.times[index] for index in at] if texts.times is not None else [data.as_of]
    other: dict[str, float] = {
        "macro-F1": label_scores.precision_recall_f1(forecast[at], truth[at])[2],
        "accuracy": label_scores.accuracy(forecast[at], truth[at]),
        "log loss": float(label_scores.log_loss(forecast[at], truth[at]).mean()),
    }
    for name, found in alone.items():
        other[f"accuracy, {name}"] = label_scores.accuracy(found[at], truth[at])
        other[f"macro-F1, {name}"] = label_scores.precision_recall_f1(found[at], truth[at])[2]
    parted = "walk-forward" if texts.times is not None else "by group, each text once"
    return Evaluation(
        metric="Brier score",
        loss=float(losses.mean()),
        n=len(at),
        n_refits=len(parts),
        first=min(times),
        last=max(times),
        purge_bars=0,
        baselines=tuple(
            label_scores.against(
                name,
                losses,
                label_scores.brier(alone[name][at], truth[at]),
                groups,
                seed=data.seed,
            )
            for name in rivals
            if name in alone
        ),
        calibration_error=label_scores.calibration_error(forecast[at], truth[at]),
        reliability=label_scores.reliability(forecast[at], truth[at]),
        other=other,
        notes=(
            f"{len(truth)} labelled texts, parted {parted}; a text that the test repeats in the "
            "same words was not learned from.",
            f"The column {LEXICON_SCORE!r} comes from rules that were written before; on texts "
            "they were written on, it flatters itself.",
        )
        if "lexicon" in members
        else (f"{len(truth)} labelled texts, parted {parted}.",),
    )
