from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.bundle import PreprocessingStep
from inference.datasets.steps import STEPS, imputed_columns, make_steps
from inference.errors import BadInput, BadModel
from inference.requests import Rows


def step(kind: str, order: int = 0, **parameters: Any) -> PreprocessingStep:
    return PreprocessingStep(type=kind, parameters=parameters, order=order)


def applied(rows: Rows, *steps: PreprocessingStep) -> Rows:
    return make_steps(steps)(rows)


def rows(*values: list[float], **texts: tuple[str, ...]) -> Rows:
    array = np.array(values, dtype=np.float64)
    return Rows(("a", "b", "c")[: array.shape[1]], array, texts)


def test_a_missing_number_is_filled_and_others_are_left() -> None:
    found = applied(rows([np.nan, 2.0], [3.0, np.nan]), step("impute", values={"a": 7.0}))
    np.testing.assert_array_equal(found.numbers, [[7.0, 2.0], [3.0, np.nan]])
    assert imputed_columns([step("impute", values={"a": 7.0})]) == {"a"}


def test_numbers_are_standardized_by_what_was_fitted() -> None:
    found = applied(rows([3.0, 10.0]), step("standardize", means={"b": 4.0}, deviations={"b": 2.0}))
    assert found.numbers.tolist() == [[3.0, 3.0]]


def test_numbers_are_clipped_on_the_sides_that_are_named() -> None:
    found = applied(rows([-9.0, 9.0]), step("winsorize", low={"a": -1.0}, high={"b": 2.0}))
    assert found.numbers.tolist() == [[-1.0, 2.0]]


def test_the_logarithm_is_odd() -> None:
    found = applied(rows([-3.0, 3.0]), step("log1p", columns=["a", "b"]))
    assert found.numbers.tolist() == [[-np.log1p(3.0), np.log1p(3.0)]]


def test_categories_become_columns_of_their_own() -> None:
    found = applied(
        rows([1.0], [2.0], kind=("up", "odd")),
        step("one_hot", column="kind", categories=["up", "down"]),
    )
    assert found.names == ("a", "kind=up", "kind=down")
    assert found.numbers.tolist() == [[1.0, 1.0, 0.0], [2.0, 0.0, 0.0]]
    assert found.texts == {}


def test_categories_become_their_place_in_the_order() -> None:
    found = applied(
        rows([1.0], [2.0], size=("big", "?")),
        step("ordinal", column="size", categories=["small", "big"]),
    )
    assert found.numbers.tolist() == [[1.0, 1.0], [2.0, -1.0]]


def test_a_hash_is_the_same_in_every_process() -> None:
    found = applied(rows([1.0], name=("AAPL",)), step("hash", column="name", buckets=8))
    assert found.numbers[0, 1:].tolist() == [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]


def test_steps_run_in_their_order_and_not_in_that_of_the_list() -> None:
    found = applied(
        rows([2.0, 5.0]),
        step("select", order=2, columns=["x"]),
        step("rename", order=1, columns={"b": "x"}),
    )
    assert found.names == ("x",)
    assert found.numbers.tolist() == [[5.0]]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (step("sqrt"), "there are clip, hash"),
        (step("impute"), "'values' is missing"),
        (step("standardize", means={"a": 0.0}, deviations={"a": 0.0}), "above 0"),
        (step("clip"), "neither"),
        (step("clip", low={"a": 2.0}, high={"a": 1.0}), "lies above"),
        (step("impute", values={"a": float("inf")}), "is inf"),
        (step("hash", column="a", buckets=0), "from 1 to 10,000"),
        (step("log1p", columns="ab"), "list of column names"),
    ],
)
def test_a_step_that_cannot_be_is_refused_before_it_runs(
    wrong: PreprocessingStep, said: str
) -> None:
    with pytest.raises(BadModel, match=said):
        make_steps([wrong])


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(BadInput, match="'z'"):
        applied(rows([1.0]), step("impute", values={"z": 0.0}))


def test_renaming_never_gives_two_columns_one_name() -> None:
    with pytest.raises(BadInput, match="one name"):
        applied(rows([1.0, 2.0]), step("rename", columns={"a": "b"}))


ANY_ROW = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=3, max_size=3)


@given(st.lists(ANY_ROW, min_size=1, max_size=20))
def test_a_row_is_prepared_alike_alone_and_among_others(values: list[list[float]]) -> None:
    prepare = make_steps(
        [
            step("impute", 0, values={"a": 0.5, "c": -1.0}),
            step("clip", 1, low={"b": -2.0}, high={"b": 2.0, "c": 1e5}),
            step("log1p", 2, columns=["c"]),
            step("standardize", 3, means={"a": 0.1}, deviations={"a": 3.0}),
        ]
    )
    together = prepare(rows(*values)).numbers
    alone = np.vstack([prepare(rows(value)).numbers for value in values])
    np.testing.assert_array_equal(together, alone)


def test_every_kind_of_step_says_what_it_takes() -> None:
    assert [kind for kind, make in STEPS.items() if not make.__doc__] == []
