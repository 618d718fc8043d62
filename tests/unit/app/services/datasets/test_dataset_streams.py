"""Which messages of a stream are read, and what becomes a row."""

from datetime import UTC, datetime

import pytest

from app.domain.datasets import DataSource
from app.domain.errors import Conflict, Invalid
from app.services.datasets.dataset_streams import (
    Message,
    Origin,
    Window,
    next_window,
    read_stream,
    row_of,
    shared_out,
)


def stream(query: str | None = None, uri: str = "kafka://broker:9093/trades") -> DataSource:
    return DataSource(type="stream", uri=uri, query=query)


def message(value: bytes | None, key: bytes | None = None) -> Message:
    return Message(2, 40, 1_767_225_600_500, key, value)


def test_a_source_says_which_messages_are_wanted_and_how_they_become_rows() -> None:
    place = read_stream(
        stream("from=2026-03-01T00:00Z&until=2026-04-01&rows=500&fields=time:ts, price:trade.p?")
    )

    assert place.servers == (("broker", 9093),)
    assert (place.topic, place.rows) == ("trades", 500)
    assert place.start == datetime(2026, 3, 1, tzinfo=UTC)
    assert place.until == datetime(2026, 4, 1, tzinfo=UTC)
    assert [(one.name, one.path, one.required) for one in place.fields] == [
        ("time", ("ts",), True),
        ("price", ("trade", "p"), False),
    ]
    assert read_stream(stream(uri="kafka:///t")).servers == ()
    assert read_stream(stream(uri="kafka://a,b:1/t")).servers == (("a", 9092), ("b", 1))
    assert read_stream(stream("from=17")).start == 17


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (stream(uri="kafka://a/"), "kafka://host"),
        (stream(uri="kafka://a/b/c"), "kafka://host"),
        (stream(uri="kafka://a:x/b"), "kafka://host"),
        (stream(uri="kafka://a/b?protocol=TELNET"), "SASL_SSL"),
        (stream(uri="kafka://a/b?group=x"), "mechanism="),
        (stream("from=yesterday"), "earliest, an offset"),
        # Nothing would be there, so that nothing would be recorded, for ever.
        (stream("from=latest"), "earliest, an offset"),
        (stream("until=17"), "a moment such as"),
        (stream("rows=0"), "from 1 to"),
        (stream("rows=20000001"), "from 1 to"),
        (stream("fields=price"), "name:path"),
        (stream("fields=a:x..y"), "name:path"),
        (stream("fields=a:x,a:y"), "twice"),
        (stream("fields=a:@headers"), "@timestamp"),
        (stream("whatever"), "may say from"),
        (stream("to=1"), "may say from"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(source: DataSource, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        read_stream(source)


def test_a_message_is_a_row_or_says_why_not() -> None:
    fields = read_stream(
        stream("fields=at:@timestamp,n:@offset,k:@key?,p:trade.p,v:trade.v?")
    ).fields
    good = message(b'{"trade": {"p": 1.5, "v": [1, {"a": 2}]}, "more": 1}', b"AAA")

    assert row_of(good, fields) == {
        "at": "2026-01-01T00:00:00.500+00:00",
        "n": 40,
        "k": "AAA",
        "p": 1.5,
        "v": '[1,{"a":2}]',
    }
    assert row_of(good, ()) == {"trade": '{"p":1.5,"v":[1,{"a":2}]}', "more": 1}
    assert row_of(message(None), ()) == "is empty"
    assert row_of(message(b"\xff\x00"), ()) == "is no JSON"
    assert row_of(message(b"[" * 100_000), ()) == "is no JSON"
    assert row_of(message(b"[1]"), ()) == "is no JSON object"
    assert row_of(message(b"{}"), ()) == "has no fields"
    assert row_of(message(b'{"trade": 5}'), fields) == "has no trade.p"
    assert row_of(message(b'{"trade": {"p": null}}'), fields) == "has no trade.p"


def test_the_next_window_begins_where_the_last_one_ended() -> None:
    place = read_stream(stream())
    before = Origin(
        topic="trades",
        windows=(
            Window(partitions={"0": (0, 10), "1": (5, 7)}),
            Window(partitions={"0": (10, 12)}),
        ),
    )

    window = next_window(
        place,
        before,
        firsts={0: 0, 1: 9, 2: 3},
        ends={0: 20, 1: 11, 2: 4},
        starts={0: 0, 1: 0, 2: 3},
    )

    assert window.partitions == {"0": (12, 20), "1": (9, 11), "2": (3, 4)}
    assert window.lost == {"1": (7, 9)}


def test_what_is_wanted_may_end_before_what_was_read_already() -> None:
    before = Origin(topic="trades", windows=(Window(partitions={"0": (0, 10)}),))
    edges = {"firsts": {0: 0}, "ends": {0: 30}, "starts": {0: 0}}

    assert not next_window(read_stream(stream()), before, **edges, until={0: 8}).partitions
    found = next_window(read_stream(stream()), before, **edges, until={0: 12})
    assert found.partitions == {"0": (10, 12)}


def test_a_topic_that_was_made_anew_is_not_taken_for_the_old_one() -> None:
    before = Origin(topic="trades", windows=(Window(partitions={"0": (0, 10)}),))

    with pytest.raises(Conflict, match="made anew"):
        next_window(read_stream(stream()), before, firsts={0: 0}, ends={0: 9}, starts={0: 0})


def test_a_limit_cuts_the_longest_partitions_and_starves_none() -> None:
    spans = {0: (0, 100), 1: (50, 55), 2: (10, 60)}

    assert shared_out(spans, 1000) == spans
    assert shared_out(spans, 65) == {0: (0, 30), 1: (50, 55), 2: (10, 40)}
    assert sum(end - start for start, end in shared_out(spans, 64).values()) == 64
    assert shared_out({0: (0, 9), 1: (0, 9)}, 1) == {1: (0, 1)}
