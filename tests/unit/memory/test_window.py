"""The window keeps the newest whole turns that fit."""

from hypothesis import given
from hypothesis import strategies as st

from memory.window import estimate_tokens, first_kept


def test_everything_is_kept_when_it_fits() -> None:
    assert first_kept([10, 10, 10], budget=30) == 0


def test_the_oldest_go_first() -> None:
    assert first_kept([10, 10, 10], budget=29) == 1


def test_no_gap_is_left_for_a_small_old_turn() -> None:
    assert first_kept([1, 100, 10], budget=50) == 2


def test_nothing_is_kept_when_the_newest_does_not_fit() -> None:
    assert first_kept([1, 1, 100], budget=50) == 3


@given(st.lists(st.integers(0, 100)), st.integers(0, 1000))
def test_what_is_kept_fits_and_one_more_would_not(sizes: list[int], budget: int) -> None:
    first = first_kept(sizes, budget=budget)
    assert sum(sizes[first:]) <= budget
    assert first == 0 or sum(sizes[first - 1 :]) > budget


def test_tokens_are_rather_too_many_than_too_few() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("a") == 1
    assert estimate_tokens("The market went up, and then it went down again.") >= 11
    assert estimate_tokens("株価が上がりました") >= 9
    assert estimate_tokens("\ud800") == 1


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(one: str, two: str) -> None:
    assert estimate_tokens(one + two) >= estimate_tokens(one)
