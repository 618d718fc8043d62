"""Nothing that is tested was learned from: not the text, its group, its words nor its future."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from inference.training.evaluation.text_folds import folds, groups_of
from inference.training.recipe import TextData, TooLittleData

TRUTH = np.arange(60) % 3
TEXTS = tuple(f"story {chr(97 + n % 26)} number {'x' * n}" for n in range(60))
LABELS = tuple(["positive", "neutral", "negative"][label] for label in TRUTH)


def test_every_text_is_tested_once_and_never_by_a_model_that_saw_its_group() -> None:
    groups = tuple(str(n // 2) for n in range(60))
    parts = folds(TextData(TEXTS, LABELS, groups=groups), TRUTH, count=5, seed=1)
    assert sorted(int(n) for _, test in parts for n in test) == list(range(60))
    for train, test in parts:
        assert not {groups[n] for n in train} & {groups[n] for n in test}


def test_the_same_words_with_other_figures_stay_on_one_side() -> None:
    texts = (*TEXTS[:58], "Profit rose 12% to 3.4 bn", "Profit rose 9% to 1.1 bn")
    data = TextData(texts, LABELS)
    assert groups_of(data)[58] == groups_of(data)[59]
    for train, test in folds(data, TRUTH, count=5, seed=1):
        assert (58 in test) == (59 in test)
        assert (58 in train) != (58 in test)


def test_with_times_only_the_past_is_learned() -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    times = tuple(start + timedelta(days=(n * 37) % 60) for n in range(60))
    parts = folds(TextData(TEXTS, LABELS, times=times), TRUTH, count=3, seed=1)
    assert sum(len(test) for _, test in parts) == 30
    for train, test in parts:
        assert max(times[n] for n in train) < min(times[n] for n in test)


def test_a_fold_that_lacks_a_label_is_refused_in_words() -> None:
    truth = np.array([0] * 59 + [1])
    with pytest.raises(TooLittleData, match="a label is missing"):
        folds(TextData(TEXTS, LABELS), truth, count=5, seed=1)
