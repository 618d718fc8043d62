"""One model is called better than another only on the same cases, and beyond chance."""

from pathlib import Path

import numpy as np
import pytest

from inference.errors import BadModel
from inference.training.evaluation.comparison import CaseLosses, compare, hac_t

COUNT = 400


def losses(
    values: np.ndarray, *, symbol: str = "AAA", start: str = "2020-01-01", metric: str = "QLIKE"
) -> CaseLosses:
    times = np.datetime64(start, "s") + np.arange(len(values)) * np.timedelta64(1, "D")
    return CaseLosses(metric, (symbol,) * len(values), times, values)


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 1.0, COUNT)


def test_a_model_that_loses_less_on_the_same_cases_is_better() -> None:
    old = noise()
    new = old - 0.1 + 0.3 * np.random.default_rng(1).standard_normal(COUNT)

    found = compare(losses(new), losses(old))

    assert found.verdict == "better"
    assert found.t is not None
    assert found.t < -1.96
    assert found.n == COUNT
    assert "same 400 cases" in found.in_words()


def test_the_same_turned_round_is_worse() -> None:
    old = noise()
    new = old - 0.1 + 0.3 * np.random.default_rng(1).standard_normal(COUNT)

    assert compare(losses(old), losses(new)).verdict == "worse"


def test_a_difference_within_chance_is_none() -> None:
    assert compare(losses(noise(1)), losses(noise(2))).verdict == "alike"


def test_equal_losses_are_alike() -> None:
    found = compare(losses(noise()), losses(noise()))

    assert (found.verdict, found.t) == ("alike", 0.0)


def test_only_cases_that_both_forecast_count() -> None:
    old = losses(noise(), start="2020-01-01")
    new = losses(noise(), start="2020-07-01")

    found = compare(new, old)

    assert found.n == COUNT - 182
    assert str(found.first) == "2020-07-01 00:00:00+00:00"


@pytest.mark.parametrize(
    "other",
    [
        losses(noise(), symbol="BBB"),
        losses(noise(), start="2024-01-01"),
        losses(noise(), metric="pinball loss"),
        losses(noise()[:29]),
    ],
    ids=["other symbols", "other years", "another metric", "too few"],
)
def test_models_without_enough_in_common_are_not_compared(other: CaseLosses) -> None:
    found = compare(losses(noise()), other)

    assert found.verdict == "not comparable"
    assert found.t is None
    assert "share only" in found.in_words()


def test_instruments_that_move_together_are_one_piece_of_luck() -> None:
    shared = np.random.default_rng(3).standard_normal(COUNT)
    old, new = 5 + shared, 5 + shared + 0.1 * np.random.default_rng(4).standard_normal(COUNT) - 0.01
    one = compare(losses(new), losses(old))
    symbols = [f"S{index}" for index in range(10)]

    def copied(values: np.ndarray) -> CaseLosses:
        many = [losses(values, symbol=name) for name in symbols]
        return CaseLosses(
            "QLIKE",
            tuple(name for part in many for name in part.symbols),
            np.concatenate([part.times for part in many]),
            np.concatenate([part.losses for part in many]),
        )

    ten = compare(copied(new), copied(old))

    assert ten.n == 10 * COUNT
    assert ten.t == pytest.approx(one.t)


def test_overlapping_forecasts_are_less_sure() -> None:
    luck = np.convolve(np.random.default_rng(5).standard_normal(COUNT + 4), np.ones(5), "valid")

    assert abs(hac_t(luck + 1.0, lags=4)) < abs(hac_t(luck + 1.0, lags=0))


def test_losses_that_are_not_finite_are_no_cases() -> None:
    values = noise()
    values[:10] = np.nan

    assert compare(losses(values), losses(noise(1))).n == COUNT - 10


def test_losses_survive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.safetensors"
    path.write_bytes(losses(noise()).to_bytes())

    back = CaseLosses.read(str(path))

    assert {losses(noise()).to_bytes() for _ in range(20)} == {path.read_bytes()}
    assert back.metric == "QLIKE"
    assert back.symbols == losses(noise()).symbols
    assert (back.times == losses(noise()).times).all()
    assert (back.losses == noise()).all()


def test_a_file_that_holds_something_else_is_no_losses(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.safetensors"
    path.write_bytes(b"something else")

    with pytest.raises(BadModel):
        CaseLosses.read(str(path))
    with pytest.raises(FileNotFoundError):
        CaseLosses.read(str(tmp_path / "nothing"))
