from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.bundle import Head
from inference.engine.heads import answer_of, check_head
from inference.errors import BadModel, ModelFailed
from inference.requests import Answers
from inference.runtimes.runtime import Outputs
from tests.fakes.models import linear_bundle


def answered(head: Head, columns: Any, **others: Any) -> Answers:
    array = None if columns is None else np.array(columns, dtype=np.float64)
    check_head(head)
    rows = len(next(given for given in (array, *others.values()) if given is not None))
    return answer_of(linear_bundle([1.0], head=head), Outputs(array, **others), rows)


def interval(answers: Answers) -> tuple[float, float]:
    assert answers.low is not None
    assert answers.high is not None
    return float(answers.low[0]), float(answers.high[0])


def test_an_interval_is_the_value_and_what_residuals_were() -> None:
    head = Head(
        kind="value", interval_level=0.8, residual_quantiles=((0.1, -2.0), (0.5, 0.0), (0.9, 3.0))
    )
    answers = answered(head, [[10.0]])
    assert interval(answers) == (8.0, 13.0)
    assert answers.interval_level == 0.8
    assert answers.levels == (0.1, 0.5, 0.9)


def test_an_interval_that_was_not_measured_is_not_claimed() -> None:
    head = Head(kind="value", interval_level=0.99, residual_quantiles=((0.1, -2.0), (0.9, 3.0)))
    answers = answered(head, [[10.0]])
    assert (answers.low, answers.interval_level) == (None, None)


def test_a_log_variance_is_raised_and_its_residuals_are_of_the_logarithm() -> None:
    head = Head(
        kind="log_variance",
        scale=2.0,
        interval_level=0.5,
        residual_quantiles=((0.25, -1.0), (0.75, 1.0)),
    )
    answers = answered(head, [[0.0]])
    assert answers.values == [2.0]
    assert interval(answers) == (np.exp(-1.0), np.exp(1.0))


def test_quantiles_that_cross_are_put_in_order() -> None:
    head = Head(kind="quantiles", levels=(0.1, 0.4, 0.6, 0.9), interval_level=0.8)
    answers = answered(head, [[3.0, 1.0, 2.0, 4.0]])
    assert answers.quantiles is not None
    assert answers.quantiles.tolist() == [[1.0, 2.0, 3.0, 4.0]]
    assert answers.values == pytest.approx([2.5])
    assert interval(answers) == (1.0, 4.0)


def test_quantiles_are_moved_by_what_calibration_found() -> None:
    head = Head(kind="quantiles", levels=(0.1, 0.5, 0.9), residual_quantiles=((0.1, -0.5),))
    answers = answered(head, [[1.0, 2.0, 3.0]])
    assert answers.quantiles is not None
    assert answers.quantiles.tolist() == [[0.5, 2.0, 3.0]]


def test_one_logit_makes_two_classes() -> None:
    answers = answered(Head(kind="classes", classes=("calm", "wild"), logits=True), [[0.0], [9.0]])
    assert answers.probabilities is not None
    assert answers.probabilities[0].tolist() == [0.5, 0.5]
    assert answers.values == ("calm", "wild")


def test_calibration_is_applied_to_the_second_of_two_classes() -> None:
    head = Head(
        kind="classes",
        classes=("calm", "wild"),
        calibration={"type": "isotonic", "x": [0.0, 0.8, 1.0], "y": [0.0, 0.4, 1.0]},
    )
    answers = answered(head, [[0.2, 0.8]])
    assert answers.probabilities is not None
    assert answers.probabilities[0] == pytest.approx([0.6, 0.4])
    assert answers.values == ("calm",)


def test_platt_scaling_by_one_and_nothing_changes_nothing() -> None:
    head = Head(
        kind="classes", classes=("a", "b"), calibration={"type": "platt", "a": 1.0, "b": 0.0}
    )
    answers = answered(head, [[0.3, 0.7]])
    assert answers.probabilities is not None
    assert answers.probabilities[0] == pytest.approx([0.3, 0.7])


def test_paths_are_answered_by_where_they_end() -> None:
    paths = np.array([[[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]])
    answers = answered(
        Head(kind="paths", levels=(0.25, 0.75), interval_level=0.5), None, paths=paths
    )
    assert answers.values == [1.0]
    assert interval(answers) == (0.5, 1.5)
    assert answers.paths is not None


def test_texts_are_passed_on() -> None:
    assert answered(Head(kind="text"), None, texts=("yes", "no")).values == ("yes", "no")


@pytest.mark.parametrize(
    ("head", "columns", "said"),
    [
        (Head(kind="value"), [[np.nan]], "not finite"),
        (Head(kind="value"), [[1e308]], "above"),
        (Head(kind="value", scale=1e90), [[1e20]], "above"),
        (Head(kind="log_variance"), [[1e308]], "above"),
        (Head(kind="log_variance"), [[1000.0]], "not finite"),
        (Head(kind="quantiles", levels=(0.1, 0.9)), [[1.0]], "2 levels"),
        (Head(kind="classes", classes=("a", "b")), [[0.9, 0.9]], "sum to 1"),
        (Head(kind="classes", classes=("a", "b")), [[-0.5, 1.5]], "negative"),
        (Head(kind="classes", classes=("a", "b")), [[0.2, 0.3, 0.5]], "2 classes"),
    ],
)
def test_an_impossible_output_is_refused(head: Head, columns: Any, said: str) -> None:
    with pytest.raises(ModelFailed, match=said):
        answered(head, columns)


@pytest.mark.parametrize(
    ("calibration", "said"),
    [
        ({"type": "beta"}, "there are platt, isotonic"),
        ({"type": "platt", "a": 1.0}, "incomplete"),
        ({"type": "isotonic", "x": [1.0, 0.0], "y": [0.0, 1.0]}, "must rise"),
        ({"type": "isotonic", "x": [0.0, 1.0], "y": [0.0, 2.0]}, "probabilities"),
    ],
)
def test_a_calibration_that_cannot_be_is_refused(calibration: dict[str, Any], said: str) -> None:
    with pytest.raises(BadModel, match=said):
        check_head(Head(kind="classes", classes=("a", "b"), calibration=calibration))


@given(
    st.lists(st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=3), min_size=1, max_size=10),
    st.lists(st.floats(0.02, 0.98), min_size=3, max_size=3, unique=True),
)
def test_quantiles_never_cross_and_hold_their_interval(
    columns: list[list[float]], levels: list[float]
) -> None:
    answers = answered(
        Head(kind="quantiles", levels=tuple(sorted(levels)), interval_level=0.5), columns
    )
    assert answers.quantiles is not None
    assert (np.diff(answers.quantiles, axis=1) >= 0).all()
    if answers.low is not None and answers.high is not None:
        assert (answers.low <= answers.high).all()


@given(st.lists(st.lists(st.floats(-50, 50), min_size=3, max_size=3), min_size=1, max_size=10))
def test_probabilities_sum_to_one(logits: list[list[float]]) -> None:
    head = Head(
        kind="classes",
        classes=("a", "b", "c"),
        logits=True,
        calibration={"type": "platt", "a": [1.0, 2.0, 0.5], "b": [0.0, 0.1, 0.2]},
    )
    answers = answered(head, logits)
    assert answers.probabilities is not None
    assert answers.probabilities.sum(axis=1) == pytest.approx(np.ones(len(logits)))


def test_scaled_quantiles_are_scores_times_the_deviation_of_a_log_variance() -> None:
    head = Head(
        kind="scaled_quantiles",
        interval_level=0.8,
        residual_quantiles=((0.1, -1.5), (0.5, 0.1), (0.9, 1.25)),
    )
    answers = answered(head, [[np.log(0.0004)], [np.log(0.0001)]])
    assert answers.quantiles is not None
    np.testing.assert_allclose(answers.quantiles, [[-0.03, 0.002, 0.025], [-0.015, 0.001, 0.0125]])
    assert interval(answers) == pytest.approx((-0.03, 0.025))
    assert answers.values == pytest.approx([0.002, 0.001])
    with pytest.raises(ModelFailed, match="not finite"):
        answered(head, [[2000.0]])
    with pytest.raises(BadModel, match="needs residualQuantiles"):
        check_head(Head(kind="scaled_quantiles"))
