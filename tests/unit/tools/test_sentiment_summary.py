"""How single items become one number, and that nothing later takes part."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from tools.analytics.near_duplicates import Stories, fingerprint, likeness, shingles
from tools.analytics.sentiment_summary import WINDOW, Reading, summarise, vote
from tools.analytics.topics import keywords, topics

AT = datetime(2024, 5, 10, 12, tzinfo=UTC)
_TITLES = (
    "Brightwater lifts its outlook", "Harbour strike goes on", "New plant opened in Leeds",
    "Auditor leaves the company", "Orders climb in the north", "Patent fight lost in court",
    "Chief executive speaks on television", "Analysts visit the mine", "Dividend date announced",
    "Union accepts the offer",
)  # fmt: skip


def reading(number: int = 0, score: float = 0.8, *, hours: float = 0, **changed: object) -> Reading:
    published = AT - timedelta(hours=hours)
    values: dict[str, object] = {
        "id": f"{number:04}",
        "type": "news",
        "source_name": "Wire",
        "title": _TITLES[number % len(_TITLES)] + ("" if number < 10 else f" again {number}"),
        "published_at": published,
        "known_at": published,
        "score": score,
        "label": "positive" if score > 0.2 else "negative" if score < -0.2 else "neutral",
        **changed,
    }
    return Reading(**values)  # type: ignore[arg-type]


def test_little_is_drawn_to_zero_and_much_is_not() -> None:
    one = summarise([reading()], at=AT)
    assert one.n == 1
    assert one.mean == pytest.approx(0.8)
    assert one.score == pytest.approx(0.8 / 6)
    ten = summarise([reading(n) for n in range(10)], at=AT)
    assert ten.score == pytest.approx(0.8 * 10 / 15)


def test_a_half_life_later_an_item_counts_half() -> None:
    found = summarise([reading(0, 1.0), reading(1, -1.0, hours=72)], at=AT)
    assert found.mean == pytest.approx((1.0 - 0.5) / 1.5)


def test_sources_weigh_by_their_kind_and_shares_sum_to_one() -> None:
    found = summarise(
        [
            reading(0, 1.0),
            reading(1, 1.0, type="social", source_name="Forum"),
            reading(2, -1.0, type="analyst", source_name="House"),
        ],
        at=AT,
    )
    weights = {source.name: source.weight for source in found.sources}
    assert weights["Wire"] > weights["House"] > weights["Forum"]
    assert sum(weights.values()) == pytest.approx(1)


def test_copies_of_one_story_count_once_and_the_first_one_counts() -> None:
    first = reading(
        0, 0.9, hours=5, title="Corvane shares jump as trial of new drug meets its goal"
    )
    copy = reading(1, -0.9, hours=4, title="Corvane shares jump as trial of a new drug meets goal")
    found = summarise([copy, first], at=AT)
    assert (found.n, found.items) == (1, 2)
    assert found.mean == pytest.approx(0.9)


def test_the_same_words_are_news_again_after_two_days() -> None:
    title = "Corvane shares jump as trial of new drug meets its goal"
    found = summarise([reading(0, title=title), reading(1, title=title, hours=49)], at=AT)
    assert found.n == 2


def test_disagreement_is_the_entropy_of_the_labels() -> None:
    same = summarise([reading(n) for n in range(4)], at=AT)
    split = summarise([reading(0, 0.9), reading(1, 0.0), reading(2, -0.9)], at=AT)
    two = summarise([reading(0, 0.9), reading(1, -0.9)], at=AT)
    assert same.disagreement == 0
    assert split.disagreement == pytest.approx(1)
    assert two.disagreement == pytest.approx(math.log(2) / math.log(3))


def test_the_future_and_what_was_not_yet_known_change_nothing() -> None:
    past = [reading(n, hours=n * 7) for n in range(8)]
    poison = [
        reading(20, -1.0, hours=-1),
        reading(21, -1.0, hours=30, known_at=AT + timedelta(seconds=1)),
        # A later item that tells an earlier story must not take its place.
        reading(22, -1.0, hours=-0.5, title=past[0].title),
        reading(23, -1.0, hours=-30 * 24),
    ]
    assert summarise([*poison, *past], at=AT) == summarise(past, at=AT)


def test_at_every_moment_a_longer_record_says_what_a_shorter_one_said() -> None:
    every = [reading(n, (-1) ** n * 0.7, hours=(30 - n) * 11) for n in range(30)]
    for hours in range(0, 340, 17):
        moment = AT - timedelta(hours=hours)
        cut = [one for one in every if one.published_at <= moment]
        assert summarise(every, at=moment) == summarise(cut, at=moment)


def test_nothing_and_the_very_old_say_nothing() -> None:
    empty = summarise([], at=AT)
    assert (empty.score, empty.n, empty.newest, empty.label) == (0, 0, None, "neutral")
    old = summarise([reading(hours=WINDOW / timedelta(hours=1))], at=AT)
    assert old == empty


def test_a_vote_stays_between_its_bounds() -> None:
    assert [vote(score) for score in (-1, -0.25, 0, 0.5, 1)] == [-1, -0.5, 0, 1, 1]


def test_likeness_is_symmetric_and_short_titles_must_be_equal() -> None:
    one = shingles("Tessel wins contract to supply city buses")
    other = shingles("Tessel wins a contract to supply buses in the city")
    assert likeness(one, one) == 1
    assert likeness(one, other) == likeness(other, one) > 0.5
    assert likeness(shingles("Profit up"), shingles("Profit down")) == 0
    assert likeness(shingles(""), shingles("")) == 0


def test_what_was_denied_is_another_story() -> None:
    told, denied = "Vantor will buy Pallas", "Vantor will not buy Pallas"
    stories: Stories[int] = Stories()
    stories.add(1, told, AT)
    assert stories.find(told, AT + timedelta(hours=1)) == 1
    assert stories.find(denied, AT + timedelta(hours=1)) is None
    assert stories.find(told, AT + timedelta(hours=49)) is None


def test_a_fingerprint_ignores_how_it_is_written_and_nothing_else() -> None:
    assert fingerprint("news", "Wire", "Profit UP!") == fingerprint("news", "wire", "profit  up")
    assert fingerprint("a b", "c") != fingerprint("a", "b c")
    assert fingerprint("news", "\ud83d") != fingerprint("news", "!")


def test_topics_and_keywords_come_from_the_text() -> None:
    assert topics("Regulator fines bank in court; dividend is safe") == (
        "law and regulation", "dividends and buybacks"
    )  # fmt: skip
    assert topics("Nothing of note") == ()
    shared = keywords(["Mine reopens", "Mine sold", "Harbour sold"], without=["Harbour Ltd"])
    assert shared == ("mine", "sold", "reopens")
