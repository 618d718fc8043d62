"""The sentiment recipe: learns what is there, says what it is worth, and serves what it learned."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from inference.engine.pipeline import LoadedModel
from inference.errors import BadInput
from inference.requests import Rows
from inference.runtimes.catalog import runtime_for
from inference.training.recipe import TextData, TooLittleData, Trained, TrainingData
from inference.training.recipes.news_sentiment import NewsSentiment

pytest.importorskip("sklearn")
pytest.importorskip("skops")

WORDS = {"positive": "gain", "neutral": "meeting", "negative": "loss"}


def invented(count: int = 150, *, telling: float = 0.9, seed: int = 0) -> TextData:
    """Texts whose label one word tells with a known chance, and a lexicon that is only noise."""
    dice = np.random.default_rng(seed)
    names = list(WORDS)
    texts, labels = [], []
    for index in range(count):
        label = names[index % 3]
        said = label if dice.random() < telling else names[int(dice.integers(3))]
        filler = " ".join("".join(dice.choice(list("abcdefgh"), 4)) for _ in range(2))
        texts.append(f"{filler} {WORDS[said]}")
        labels.append(label)
    noise = tuple(float(x) for x in dice.uniform(-1, 1, count))
    return TextData(tuple(texts), tuple(labels), numbers={"lexicon_score": noise})


def trained(texts: TextData, **options: object) -> Trained:
    data = TrainingData(None, texts, datetime(2026, 1, 1, tzinfo=UTC), seed=3)
    return NewsSentiment().train(data, options, lambda _, __: None)


def test_it_finds_the_telling_word_and_gives_the_useless_member_no_say() -> None:
    found = trained(invented(), folds=3)
    assert found.performance.accuracy is not None
    assert found.performance.accuracy > 0.85
    assert found.evaluation.has_skill
    custom = found.parameters.custom_params
    assert custom is not None
    assert custom["weights"]["lexicon"] < 0.25 < custom["weights"]["tfidf"]
    names = [one.name for one in found.evaluation.baselines]
    assert names == ["base rates", "commonest label", "lexicon"]


def test_labels_that_are_chance_show_no_skill() -> None:
    found = trained(invented(telling=0.0), folds=3)
    assert not found.evaluation.has_skill


def test_the_same_seed_gives_the_same_bytes_of_bundle() -> None:
    texts = invented(90)
    one, two = trained(texts, folds=2), trained(texts, folds=2)
    assert msgspec.json.encode(one.bundle) == msgspec.json.encode(two.bundle)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"members": ["gpt"]}, "it names some of"),
        ({"members": ["minilm"]}, "needs the option 'encoder'"),
        ({"folds": 1}, "from 2 to 20"),
    ],
)
def test_wrong_options_are_refused_in_words(options: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        trained(invented(120), **options)


def test_unknown_labels_and_too_few_texts_are_refused() -> None:
    with pytest.raises(BadInput, match="labelled 'angry'"):
        trained(TextData(("a",) * 90, ("angry",) * 90))
    with pytest.raises(TooLittleData, match="60 are needed"):
        trained(invented(30))
    without = invented(120)
    with pytest.raises(BadInput, match="reads the column 'lexicon_score'"):
        trained(TextData(without.texts, without.labels))


def test_what_was_learned_is_what_the_engine_answers(tmp_path: Path) -> None:
    texts = invented(120)
    found = trained(texts, folds=2)
    found.write(tmp_path)
    model = LoadedModel.load(tmp_path, runtime_for=runtime_for)
    asked = [
        {"text": f"abcde {word}", "lexicon_score": 0.0} for word in ("gain", "loss", "meeting")
    ]
    answers = model.answer(Rows.of(asked))
    assert answers.values == ("positive", "negative", "neutral")
    assert answers.classes == ("positive", "neutral", "negative")
    alone = model.answer(Rows.of(asked[:1]))
    assert answers.probabilities is not None
    assert alone.probabilities is not None
    assert np.array_equal(alone.probabilities[0], answers.probabilities[0])
