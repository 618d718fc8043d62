"""Whatever bytes come in, a value comes out; and every honest frame is read as it was meant."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.protocol.codec import FRAME_TYPES, decode, encode
from app.protocol.frames import (
    MAX_FRAME_BYTES,
    Ack,
    BadFrame,
    CaughtUpFrame,
    ErrorFrame,
    FrameError,
    GapFrame,
    Hello,
    LiveBar,
    MarketFrame,
    NoticeFrame,
    Ping,
    PongFrame,
    RefusedCommand,
    ReplyFrame,
    Run,
    Stop,
    Subscribe,
    ThreadPosition,
    Unsubscribe,
    Unwatch,
    Watch,
    WelcomeFrame,
)

THREAD = UUID("0191e2a4-0000-7000-8000-000000000001")
RUN = UUID("0191e2a4-0000-7000-8000-000000000002")
NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)


def frame(type_: str, **fields: Any) -> str:
    return json.dumps({"v": 1, "id": "c", "type": type_, **fields}, ensure_ascii=False)


def run_frame(message: Any = None, **more: Any) -> str:
    message = message or {"id": "m", "role": "user", "content": "hi"}
    given = {"threadId": str(THREAD), "runId": str(RUN), "messages": [message], **more}
    return frame("run", input=given)


def raw_run(content: str) -> str:
    """Return a run whose content stands in the JSON exactly as written here."""
    return run_frame().replace('"hi"', f'"{content}"')


# --- anything at all ----------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
kinds = st.sampled_from(FRAME_TYPES)


@given(st.binary() | st.text())
def test_arbitrary_bytes_and_texts_give_a_bad_frame(data: bytes | str) -> None:
    assert isinstance(decode(data), BadFrame)


@given(st.text(st.sampled_from('\\"ud8Dc0{}[]:,')))
def test_texts_made_of_escapes_and_brackets_never_raise(text: str) -> None:
    assert isinstance(decode(text), BadFrame)
    assert isinstance(decode(raw_run(text)), Run | RefusedCommand | BadFrame)


@given(kinds, st.dictionaries(st.text(), json_values), json_values)
def test_any_json_in_any_frame_never_raises(kind: str, fields: dict[str, Any], value: Any) -> None:
    body = {"v": 1, "id": "c", "type": kind, **fields}
    decode(json.dumps(body))
    decode(json.dumps({**body, "input": value, "threadId": value, "since": value}))
    decode(json.dumps({"v": 1, "id": "c", "type": "run", "input": value}))


@given(st.integers(min_value=0, max_value=len(run_frame())))
def test_a_frame_cut_anywhere_is_refused_whole(cut: int) -> None:
    text = run_frame()
    result = decode(text[:cut])
    assert isinstance(result, Run) if cut == len(text) else isinstance(result, BadFrame)


# --- honest frames ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (frame("hello", protocolVersion="1.0"), Hello(1, "c", "1.0")),
        (
            frame(
                "hello",
                protocolVersion="1.0",
                compact=True,
                threads=[{"threadId": str(THREAD), "since": 7}],
            ),
            Hello(1, "c", "1.0", (ThreadPosition(THREAD, 7),), True),
        ),
        (frame("stop", runId="r"), Stop(1, "c", "r")),
        (frame("subscribe", threadId=str(THREAD), since=0), Subscribe(1, "c", THREAD, 0)),
        (frame("unsubscribe", threadId=str(THREAD)), Unsubscribe(1, "c", THREAD)),
        (frame("ack", threadId=str(THREAD), seq=3), Ack(1, "c", THREAD, 3)),
        (
            frame("watch", symbols=["GOOG", "BRK.B"], timeframe="1d"),
            Watch(1, "c", ("GOOG", "BRK.B"), "1d"),
        ),
        (frame("unwatch", symbols=["GOOG"], timeframe="1m"), Unwatch(1, "c", ("GOOG",), "1m")),
        (frame("ping"), Ping(1, "c")),
    ],
)
def test_commands_are_read(text: str, expected: object) -> None:
    assert decode(text) == expected
    assert decode(text.encode()) == expected


def test_a_run_is_read_leniently_and_only_its_newest_user_message_counts() -> None:
    text = frame(
        "run",
        input={
            "threadId": str(THREAD),
            "runId": str(RUN),
            "parentRunId": None,
            "messages": [
                {"id": "a", "role": "user", "content": "old"},
                {"id": "b", "role": "assistant", "content": "answer", "toolCalls": [{"id": 1}]},
                {"id": "c", "role": "user", "content": "new", "name": "me", "future": {"x": [1]}},
                {"id": "d", "role": "tool", "content": "result", "toolCallId": "t"},
                {"id": "e"},
            ],
            "state": {"anything": [1, None]},
            "tools": "not even a list",
            "somethingNew": 1e300,
            "forwardedProps": {
                "other": 1,
                "outcry": {"agentId": "analyst", "mode": "edit", "fromMessageId": "a", "new": 1},
            },
        },
    )
    assert decode(text) == Run(
        id="c",
        thread_id=THREAD,
        run_id=RUN,
        run_name=str(RUN),
        message_id=uuid5(THREAD, "c"),
        text="new",
        agent="analyst",
        mode="edit",
        from_message_id=uuid5(THREAD, "a"),
    )


def test_ids_that_are_no_uuids_become_the_same_uuid_every_time_and_per_thread() -> None:
    first, again = decode(run_frame(runId="run_1")), decode(run_frame(runId="run_1"))
    other = decode(run_frame(runId="run_1", threadId=str(RUN)))
    assert isinstance(first, Run)
    assert isinstance(other, Run)
    assert first == again
    assert first.run_id == uuid5(THREAD, "run_1")
    assert first.run_id != other.run_id
    assert first.message_id != other.message_id


def test_a_message_without_an_id_gets_one_from_its_command() -> None:
    once = decode(run_frame({"role": "user", "content": "hi"}))
    again = decode(run_frame({"role": "user", "content": "hi"}))
    assert once == again
    assert isinstance(once, Run)
    assert once.message_id is not None


def test_text_parts_are_joined() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two", "metadata": {}}]
    run = decode(run_frame({"id": "m", "role": "user", "content": parts}))
    assert isinstance(run, Run)
    assert run.text == "one\n\ntwo"


def test_regenerate_needs_no_message() -> None:
    wishes = {"outcry": {"mode": "regenerate", "fromMessageId": str(RUN)}}
    run = decode(run_frame(messages=[], forwardedProps=wishes))
    assert isinstance(run, Run)
    assert (run.mode, run.message_id, run.text, run.from_message_id) == (
        "regenerate",
        None,
        "",
        RUN,
    )


# --- hostile text -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"a\u0000b", "a\ufffdb"),
        (r"a\ud800b", "a\ufffdb"),
        (r"\udc00\ud800", "\ufffd\ufffd"),
        (r"\ud83d\ude00", "😀"),
        (r"\ud83d\ud83d\ude00\ude00", "\ufffd😀\ufffd"),
        (r"\\ud800", r"\ud800"),
        (r"\\\ud800", "\\\ufffd"),
        ("\u202egnirts\u200d\u2028", "\u202egnirts\u200d\u2028"),
        ("e\u0301 \u00e9 " + "\u0301" * 50, "e\u0301 \u00e9 " + "\u0301" * 50),
        ("[[[[{{{{" * 20, "[[[[{{{{" * 20),
    ],
)
def test_hostile_text_is_kept_but_for_what_cannot_be_stored(written: str, meant: str) -> None:
    run = decode(raw_run(written))
    assert isinstance(run, Run)
    assert run.text == meant
    run.text.encode()


@given(st.text(min_size=1, max_size=200).filter(str.strip))
def test_any_text_arrives_as_it_was_sent_but_for_nul(text: str) -> None:
    run = decode(run_frame({"id": "m", "role": "user", "content": text}))
    assert isinstance(run, Run)
    assert run.text == text.replace("\x00", "\ufffd")


def test_a_message_of_the_most_characters_is_taken_and_one_more_names_both_numbers() -> None:
    most = decode(run_frame({"id": "m", "role": "user", "content": "é" * 100_000}))
    assert isinstance(most, Run)
    assert decode(run_frame({"id": "m", "role": "user", "content": "x" * 100_001})) == (
        RefusedCommand("c", "too_large", "A message may have 100,000 characters; this has 100,001.")
    )


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"messages": []}, "invalid_input"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "invalid_input"),
        ({"messages": [5]}, "invalid_input"),
        ({"messages": [{"role": "user"}]}, "invalid_input"),
        ({"messages": [{"role": "user", "content": 5}]}, "invalid_input"),
        ({"messages": [{"role": "user", "content": "  \n"}]}, "empty_message"),
        ({"messages": [{"role": "user", "content": []}]}, "empty_message"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "unsupported_content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "unsupported_content"),
        ({"threadId": "thread-1"}, "invalid_input"),
        ({"runId": ""}, "invalid_input"),
        ({"runId": "x" * 257}, "invalid_input"),
        ({"runId": None}, "invalid_input"),
        ({"forwardedProps": 5}, "invalid_input"),
        ({"forwardedProps": {"outcry": {"mode": "branch"}}}, "invalid_input"),
        ({"forwardedProps": {"outcry": {"mode": "edit"}}}, "from_message_id_missing"),
        ({"forwardedProps": {"outcry": {"mode": "regenerate"}}}, "from_message_id_missing"),
        ({"forwardedProps": {"outcry": {"agentId": 5}}}, "invalid_input"),
        ({"forwardedProps": {"outcry": {"agentId": "x" * 257}}}, "invalid_input"),
    ],
)
def test_an_input_that_cannot_be_taken_up_is_refused_with_its_command(
    given: dict[str, Any], code: str
) -> None:
    refused = decode(run_frame(**given))
    assert isinstance(refused, RefusedCommand)
    assert (refused.id, refused.code) == ("c", code)


@pytest.mark.parametrize(
    ("text", "code", "ref"),
    [
        ("", "not_json", None),
        ("{", "not_json", None),
        ("NaN", "not_json", None),
        (frame("ack", threadId=str(THREAD), seq=float("nan")), "not_json", None),
        ("[]", "invalid", None),
        ("null", "invalid", None),
        ('"hello"', "invalid", None),
        ("{}", "unknown_type", None),
        (frame("dance"), "unknown_type", "c"),
        ('{"v":1,"id":"c","type":["ping"]}', "unknown_type", "c"),
        ('{"v":2,"id":"c","type":"ping"}', "unsupported_version", "c"),
        ('{"v":true,"id":"c","type":"ping"}', "unsupported_version", "c"),
        (frame("ping", extra=1), "invalid", "c"),
        (frame("hello"), "invalid", "c"),
        (frame("hello", protocolVersion="1.0", threads=[{"threadId": "x"}]), "invalid", "c"),
        (frame("subscribe", threadId=str(THREAD), since=-1), "invalid", "c"),
        (frame("subscribe", threadId=str(THREAD), since=2**53), "invalid", "c"),
        (frame("subscribe", threadId=str(THREAD), since=2**64), "invalid", "c"),
        (frame("subscribe", threadId=str(THREAD), since=1.5), "invalid", "c"),
        (frame("subscribe", threadId=str(THREAD), since="1"), "invalid", "c"),
        (frame("subscribe", threadId="' OR 1=1", since=1), "invalid", "c"),
        ('{"v":1,"id":"","type":"ping"}', "invalid", None),
        ('{"v":1,"id":"%s","type":"ping"}' % ("x" * 65), "invalid", None),
        ('{"v":1,"id":"a\\u0000","type":"ping"}', "invalid", "a\x00"),
        ('{"v":1,"type":"ping"}', "invalid", None),
        ('{"v":1,"id":7,"type":"ping"}', "invalid", None),
        ('{"v":1,"id":"c","type":"run","input":%s}' % ("[" * 50_000), "too_deep", None),
        ("[" * 100_000, "invalid", None),
        ('{"x":' * 50_000, "too_deep", None),
    ],
)
def test_a_bad_frame_is_named(text: str, code: str, ref: str | None) -> None:
    bad = decode(text)
    assert isinstance(bad, BadFrame)
    assert (bad.code, bad.ref) == (code, ref)
    assert len(bad.message) < 300


def test_a_field_name_as_long_as_the_frame_is_not_echoed() -> None:
    bad = decode(frame("ping", **{"x" * 200_000: 1}))
    assert isinstance(bad, BadFrame)
    assert len(bad.message) < 300


@pytest.mark.parametrize("depth", [32, 33])
@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_nesting_is_taken_to_thirty_two_levels(depth: int, pair: str) -> None:
    # The frame and its input are two of them.
    opening, closing = ("[", "]") if pair == "[]" else ('{"a":', "}")
    nested = opening * (depth - 3) + pair + closing * (depth - 3)
    padding = "[]," * 40 + '"\\\\","[[[[",'
    text = run_frame(state=0).replace('"state": 0', f'"state": {nested}, "more": [{padding} 1]')
    result = decode(text)
    assert isinstance(result, Run if depth == 32 else BadFrame)
    if isinstance(result, BadFrame):
        assert (result.code, result.ref) == ("too_deep", "c")


def test_a_frame_over_the_size_limit_names_both_numbers() -> None:
    text = frame("stop", runId="x" * 100)
    fits = text + " " * (MAX_FRAME_BYTES - len(text))
    assert isinstance(decode(fits), Stop)
    assert decode(fits + " ") == BadFrame(
        "too_large", "A frame may have 262,144 bytes; this has 262,145."
    )
    assert isinstance(decode("é" * (MAX_FRAME_BYTES // 2 + 1)), BadFrame)


# --- out ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (
            WelcomeFrame("h", "1.0", {"userId": "u"}, {"maxFrameBytes": 1}, {}, False),
            {
                "type": "welcome",
                "id": "h",
                "protocolVersion": "1.0",
                "principal": {"userId": "u"},
                "limits": {"maxFrameBytes": 1},
                "llm": {},
                "compact": False,
            },
        ),
        (
            ReplyFrame("c", ok=True, result={"a": 1}, applied_through_seq=4),
            {"type": "reply", "id": "c", "ok": True, "result": {"a": 1}, "appliedThroughSeq": 4},
        ),
        (
            ReplyFrame("c", ok=False, error=FrameError("busy", "Later.", 1.5)),
            {
                "type": "reply",
                "id": "c",
                "ok": False,
                "error": {"code": "busy", "message": "Later.", "retryAfterS": 1.5},
            },
        ),
        (CaughtUpFrame(THREAD, 3), {"type": "caughtUp", "threadId": str(THREAD), "seq": 3}),
        (
            GapFrame(THREAD, 4, 9),
            {"type": "gap", "threadId": str(THREAD), "oldestSeq": 4, "newestSeq": 9},
        ),
        (
            MarketFrame(
                symbol="GOOG",
                timeframe="1d",
                bar=LiveBar(NOON, 1.0, 2.5, 0.5, 2.0, 0.0),
                indicators={"rsi": 70.25, "sma200": None},
                signals=(),
                provisional=False,
            ),
            {
                "type": "market",
                "symbol": "GOOG",
                "timeframe": "1d",
                "bar": {
                    "timestamp": "2013-03-01T12:00:00Z",
                    "open": 1.0,
                    "high": 2.5,
                    "low": 0.5,
                    "close": 2.0,
                    "volume": 0.0,
                },
                "indicators": {"rsi": 70.25, "sma200": None},
                "signals": [],
                "provisional": False,
            },
        ),
        (
            NoticeFrame(
                kind="alert", title="GOOG: RSI over 70", thread_id=THREAD, alert_id=RUN, at=NOON
            ),
            {
                "type": "notice",
                "kind": "alert",
                "title": "GOOG: RSI over 70",
                "threadId": str(THREAD),
                "alertId": str(RUN),
                "at": "2013-03-01T12:00:00Z",
            },
        ),
        (PongFrame("p"), {"type": "pong", "id": "p"}),
        (ErrorFrame("invalid", "No."), {"type": "error", "code": "invalid", "message": "No."}),
    ],
)
def test_server_frames_are_written(value: Any, wire: dict[str, Any]) -> None:
    assert json.loads(encode(value)) == wire
