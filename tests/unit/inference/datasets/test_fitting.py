"""What is fitted on training alone is replayed by a bundle's pipeline to the same numbers."""

import msgspec
import numpy as np
import pytest

from inference.bundle import PreprocessingStep
from inference.datasets.fitting import FITS, fit_steps
from inference.datasets.steps import STEPS, make_steps
from inference.errors import BadInput
from inference.requests import Rows

WANTED = (
    PreprocessingStep(type="impute", parameters={"columns": ["x", "y"]}, order=1),
    PreprocessingStep(type="winsorize", parameters={"lower": 0.05, "upper": 0.95}, order=2),
    PreprocessingStep(type="log1p", parameters={"columns": ["y"]}, order=3),
    PreprocessingStep(type="standardize", parameters={}, order=4),
    PreprocessingStep(type="one_hot", parameters={"column": "side"}, order=5),
)


def rows(count: int = 300) -> Rows:
    rng = np.random.default_rng(9)
    numbers = rng.gamma(2.0, 3.0, (count, 2))
    numbers[rng.random((count, 2)) < 0.1] = np.nan
    sides = tuple(str(side) for side in rng.choice(["buy", "hold", "sell"], count))
    return Rows(("x", "y"), numbers, {"side": sides})


def first(count: int, of: int = 300) -> np.ndarray:
    return np.arange(of) < count


def test_numbers_of_training_are_centred_and_scaled_by_themselves() -> None:
    table = rows()

    prepared = make_steps(fit_steps(WANTED, table, first(200)))(table)

    learned = prepared.numbers[:200]
    assert prepared.names == ("x", "y", "side=buy", "side=hold", "side=sell")
    assert learned[:, :2].mean(axis=0) == pytest.approx([0, 0], abs=1e-12)
    assert learned[:, :2].std(axis=0) == pytest.approx([1, 1])
    assert (learned[:, 2:].sum(axis=1) == 1).all()


def test_nothing_is_learned_from_rows_after_training() -> None:
    table = rows()
    poisoned = table.numbers.copy()
    poisoned[200:] = 1e12
    texts = {"side": table.texts["side"][:200] + ("never seen",) * 100}

    plain = fit_steps(WANTED, table, first(200))
    other = fit_steps(WANTED, Rows(table.names, poisoned, texts), first(200))

    assert plain == other


def test_a_stored_step_gives_one_row_what_it_gave_the_whole_table() -> None:
    table = rows()
    fitted = fit_steps(WANTED, table, first(200))
    stored = msgspec.json.decode(msgspec.json.encode(fitted), type=tuple[PreprocessingStep, ...])
    whole = make_steps(fitted)(table).numbers
    replay = make_steps(stored)

    for index in (0, 150, 299):
        one = Rows(
            table.names, table.numbers[index : index + 1], {"side": (table.texts["side"][index],)}
        )
        assert (replay(one).numbers[0] == whole[index]).all()


def test_what_is_fitted_already_stays() -> None:
    step = PreprocessingStep(
        type="standardize", parameters={"means": {"x": 1.0}, "deviations": {"x": 2.0}}, order=1
    )

    assert fit_steps([step], rows(), first(200)) == (step,)


def test_a_constant_column_is_not_divided_by_nothing() -> None:
    table = Rows(("x",), np.full((10, 1), 3.0))

    fitted = fit_steps(
        [PreprocessingStep(type="standardize", parameters={}, order=1)], table, first(10, 10)
    )

    assert (make_steps(fitted)(table).numbers == 0).all()


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (PreprocessingStep(type="magic", parameters={}, order=1), "unknown; there are"),
        (
            PreprocessingStep(type="impute", parameters={"columns": ["z"]}, order=1),
            "no number column 'z'",
        ),
        (
            PreprocessingStep(type="impute", parameters={"strategy": "guess"}, order=1),
            "median or mean",
        ),
        (
            PreprocessingStep(type="winsorize", parameters={"lower": 0.9, "upper": 0.1}, order=1),
            "must rise",
        ),
        (
            PreprocessingStep(type="one_hot", parameters={"column": "x"}, order=1),
            "no text column 'x'",
        ),
    ],
)
def test_a_step_that_cannot_be_fitted_says_why(step: PreprocessingStep, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        fit_steps([step], rows(), first(200))


def test_every_fit_is_of_a_step_that_can_be_replayed() -> None:
    assert FITS.keys() <= STEPS.keys()
