"""Where an alert stands between bars, and when an episode begins and ends."""

from datetime import UTC, datetime

import pytest

from app.domain.alerts import Rules, Watch, conversation_id, episode_id, step
from app.domain.ids import new_id

T, F, U = True, False, None


def run(rules: Rules, *answers: bool | None) -> str:
    """Return one letter a bar: b where an episode begins, e where one ends."""
    watch, told = Watch(), ""
    for holds in answers:
        watch, change = step(watch, rules, holds)
        told += {"begins": "b", "ends": "e"}.get(change or "", ".")
    return told


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ((F, T, T, F, T), ".b.eb"),
        ((T, T, F, T), "...b"),  # it held when it was made
        ((U, U, F, T), "...b"),
        ((U, T, F, T), "...b"),
        ((F, T, U, U, T, F), ".b...e"),  # unknown ends nothing
        ((F, U, T), "..b"),
        ((T, U, F, U, T), "....b"),
        ((), ""),
    ],
)
def test_it_fires_once_per_episode(answers: tuple[bool | None, ...], told: str) -> None:
    assert run(Rules(), *answers) == told


def test_it_fires_at_once_where_that_is_wished() -> None:
    assert run(Rules(fire_if_already_true=True), U, T, T, F, T) == ".b.eb"


def test_an_episode_ends_only_after_so_many_bars_in_a_row() -> None:
    assert run(Rules(ends_after_bars=3), F, T, F, F, T, F, F, F, T) == ".b.....eb"


def test_after_an_episode_none_begins_for_so_many_bars() -> None:
    assert run(Rules(cooldown_bars=2), F, T, F, T, T, T, F) == ".be..be"
    assert run(Rules(cooldown_bars=2), F, T, F, T, F, F, T) == ".be...b"


def test_ids_follow_from_what_fired() -> None:
    alert, other = new_id(), new_id()
    at = datetime(2013, 2, 19, tzinfo=UTC)
    assert episode_id(alert, at) == episode_id(alert, at)
    assert len({episode_id(alert, at), episode_id(other, at),
                episode_id(alert, at.replace(day=20))}) == 3  # fmt: skip
    assert conversation_id(alert, 0) != conversation_id(alert, 1)
