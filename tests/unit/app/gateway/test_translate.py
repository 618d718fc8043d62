"""Stored events become the same bytes every time, with their seq in the right place."""

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from app.domain.ids import ConversationId, RunId
from app.domain.runs import StoredEvent
from app.gateway.direct_wire import text_frame
from app.gateway.translate import Frames, event_frame, with_seq

THREAD, RUN = ConversationId(uuid4()), RunId(uuid4())

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def delta(text: str, seq: int = 7) -> StoredEvent:
    return StoredEvent(THREAD, seq, RUN, "TEXT_MESSAGE_CONTENT", text, "m-1")


def test_a_text_delta_is_spliced_into_a_whole_event() -> None:
    assert json.loads(event_frame(delta('a "b"\n'))) == {
        "type": "event",
        "threadId": str(THREAD),
        "runId": str(RUN),
        "seq": 7,
        "event": {
            "type": "TEXT_MESSAGE_CONTENT",
            "messageId": "m-1",
            "delta": 'a "b"\n',
            "metadata": {"outcry": {"seq": 7}},
        },
    }


def test_a_compact_delta_is_its_seq_and_its_text_and_little_else() -> None:
    frame = Frames(delta("twenty characters ok", seq=12_345)).compact()
    assert frame == b'[12345,"twenty characters ok"]'
    assert len(text_frame(frame)) <= 45


@given(st.text(), st.integers(1, 2**53))
def test_any_text_survives_both_forms(text: str, seq: int) -> None:
    event = delta(text, seq)
    assert json.loads(event_frame(event))["event"]["delta"] == text
    assert json.loads(Frames(event).compact()) == [seq, text]


@given(
    st.dictionaries(st.text() | st.just("metadata"), json_values, max_size=4),
    st.none() | json_values | st.fixed_dictionaries({"outcry": json_values}),
    st.integers(1, 2**53),
)
def test_the_seq_is_merged_and_nothing_else_changes(
    event: dict[str, Any], metadata: Any, seq: int
) -> None:
    event = {"type": "CUSTOM", **event}
    if metadata is not None:
        event["metadata"] = metadata
    merged = json.loads(with_seq(json.dumps(event), seq))
    assert merged["metadata"]["outcry"].pop("seq") == seq
    assert {k: v for k, v in merged.items() if k != "metadata"} == {
        k: v for k, v in event.items() if k != "metadata"
    }
    before = event.get("metadata")
    before = dict(before) if isinstance(before, dict) else {}
    outcry = before.pop("outcry", {})
    after = dict(merged["metadata"])
    rest = after.pop("outcry")
    assert after == before
    old = dict(outcry) if isinstance(outcry, dict) else {}
    old.pop("seq", None)
    assert rest == old


@pytest.mark.parametrize(
    "payload",
    [
        '{"type":"CUSTOM","name":"n","value":1}',
        '{ "type" : "CUSTOM", "value": 0.30000000000000004 , "metadata" : { "a": 1 } } ',
        '{"type":"CUSTOM","value":"says \\"metadata\\" inside"}',
        '{"type":"CUSTOM","value":{"metadata":{"outcry":{"seq":1}}}}',
        '{"type":"CUSTOM","metadata":null}',
        '{"type":"CUSTOM","metadata":{"outcry":{"seq":1,"cost":{"amount":"0.10"}}}}',
        "{}",
    ],
)
def test_seq_lands_in_the_top_level_metadata(payload: str) -> None:
    expected = json.loads(payload)
    metadata = expected.get("metadata") or {}
    expected["metadata"] = {**metadata, "outcry": {**metadata.get("outcry", {}), "seq": 42}}
    spliced = with_seq(payload, 42)
    assert json.loads(spliced) == expected
    if "0.30000000000000004" in payload:
        assert b"0.30000000000000004" in spliced


def test_one_event_is_encoded_once_for_all_sockets() -> None:
    frames = Frames(delta("x"))
    assert frames.plain() is frames.plain()
    assert frames.compact() is frames.compact()


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_websocket_frame_is_what_the_websockets_library_makes(length: int) -> None:
    payload = b"x" * length
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)
