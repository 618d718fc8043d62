"""A follower's place: what goes straight out, what waits, what is read again."""

import json
from typing import Any
from uuid import uuid4

import pytest

from app.domain.ids import ConversationId, RunId
from app.domain.runs import StoredEvent
from app.gateway.hub import Follower, Hub
from app.gateway.outbox import Outbox

THREAD, RUN = ConversationId(uuid4()), RunId(uuid4())


class Taken:
    """A wire that takes everything at once."""

    def __init__(self) -> None:
        self.frames: list[Any] = []

    def write(self, frame: bytes) -> None:
        self.frames.append(json.loads(frame))

    def unsent(self) -> int:
        return 0

    def close(self, code: int, reason: str, *, drop: bool = False) -> None:
        raise AssertionError(f"closed: {code} {reason}")

    async def wait_for_room(self) -> None:
        return

    def seqs(self) -> list[int]:
        return [f[0] if isinstance(f, list) else f["seq"] for f in self.frames]


class Place:
    """A hub with one follower."""

    def __init__(self, since: int = 0) -> None:
        self.hub = Hub()
        self.wire = Taken()
        self.outbox = Outbox(self.wire)
        self.behind: list[Follower] = []
        self.follower = Follower(THREAD, since, self.outbox, self.behind.append)
        self.hub.add(self.follower)


@pytest.fixture
def place() -> Place:
    return Place()


def said(seq: int, message_id: str = "m") -> StoredEvent:
    return StoredEvent(THREAD, seq, RUN, "TEXT_MESSAGE_CONTENT", f"{seq}", message_id)


def told(seq: int, type_: str, **fields: Any) -> StoredEvent:
    return StoredEvent(THREAD, seq, RUN, type_, json.dumps({"type": type_, **fields}))


def test_what_comes_before_going_live_waits_and_goes_out_then(place: Place) -> None:
    place.hub.publish([said(1), said(2)])
    assert place.wire.seqs() == []
    assert place.follower.go_live()
    place.hub.publish([said(3)])
    assert place.wire.seqs() == [1, 2, 3]


def test_what_was_read_and_also_waited_goes_out_once(place: Place) -> None:
    place.hub.publish([said(1), said(2), said(3)])
    place.follower.replay(said(1))
    place.follower.replay(said(2))
    assert place.follower.go_live()
    assert place.wire.seqs() == [1, 2, 3]


def test_a_hole_in_what_waited_means_reading_again(place: Place) -> None:
    place.hub.publish([said(1), said(3)])
    assert not place.follower.go_live()
    assert place.wire.seqs() == [1]
    place.hub.publish([said(4)])
    for seq in (2, 3):
        place.follower.replay(said(seq))
    assert place.follower.go_live()
    assert place.wire.seqs() == [1, 2, 3, 4]


def test_more_than_may_wait_means_reading_again(place: Place) -> None:
    place.hub.publish([said(seq) for seq in range(1, 514)])
    assert not place.follower.go_live()
    assert place.wire.seqs() == []
    place.hub.publish([said(514)])
    for seq in range(1, 514):
        place.follower.replay(said(seq))
    assert place.follower.go_live()
    assert place.wire.seqs() == list(range(1, 515))


def test_a_wake_up_during_a_replay_is_not_forgotten(place: Place) -> None:
    place.hub.wake(THREAD, 2)
    assert not place.follower.go_live(), "2 is stored and was not read yet"
    place.follower.replay(said(1))
    place.follower.replay(said(2))
    assert place.follower.go_live()
    place.hub.wake(THREAD, 2)
    assert place.behind == [], "nothing is missing"


def test_an_event_that_skips_one_asks_for_a_replay_once(place: Place) -> None:
    assert place.follower.go_live()
    place.hub.publish([said(2), said(3)])
    assert place.behind == [place.follower]
    place.follower.replay(said(1))
    assert place.follower.go_live()
    assert place.wire.seqs() == [1, 2, 3]


def test_an_event_that_was_seen_is_not_sent_again() -> None:
    place = Place(since=5)
    assert place.follower.go_live()
    place.hub.publish([said(4), said(5), said(6), said(6)])
    assert place.wire.seqs() == [6]
    assert place.behind == []


def test_followers_come_and_go_without_touching_others() -> None:
    place = Place()
    other = Follower(THREAD, 0, place.outbox, place.behind.append)
    place.hub.add(other)
    assert len(place.hub) == 2
    place.hub.remove(place.follower)
    place.hub.remove(place.follower)
    assert other.go_live()
    place.hub.publish([said(1)])
    assert place.wire.seqs() == [1]
    place.hub.remove(other)
    place.hub.publish([said(2)])
    assert (len(place.hub), place.wire.seqs()) == (0, [1])


def forms(events: list[StoredEvent]) -> list[str]:
    """Return, for each event, whether a compact socket got it whole or as an array."""
    place = Place()
    place.outbox.compact = True
    place.follower.go_live()
    place.hub.publish(events)
    return ["array" if isinstance(frame, list) else "event" for frame in place.wire.frames]


def test_the_first_delta_after_the_start_of_its_message_is_an_array() -> None:
    start = told(1, "TEXT_MESSAGE_START", messageId="m", role="assistant")
    assert forms([start, said(2), said(3)]) == ["event", "array", "array"]


def test_a_delta_of_another_message_comes_whole() -> None:
    events = [said(1, "a"), said(2, "a"), said(3, "b"), said(4, "b"), said(5, "a")]
    assert forms(events) == ["event", "array", "event", "array", "event"]
    start = told(1, "TEXT_MESSAGE_START", messageId="a", role="assistant")
    assert forms([start, said(2, "b")]) == ["event", "event"]


@pytest.mark.parametrize("between", ["TOOL_CALL_START", "TEXT_MESSAGE_END", "CUSTOM"])
def test_a_delta_after_any_other_event_comes_whole(between: str) -> None:
    other = told(2, between, messageId="m")
    assert forms([said(1), other, said(3), said(4)]) == ["event", "event", "event", "array"]
