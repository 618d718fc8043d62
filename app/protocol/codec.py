"""Bytes into commands and frames into bytes. Whatever comes in, nothing is raised.

Order of the checks: size, depth, JSON, envelope, then the AG-UI input of a `run`. NUL and lone
surrogates in texts become U+FFFD, because neither Postgres nor UTF-8 can keep them.
"""

import re
from typing import Any

import msgspec

from app.protocol.frames import (
    MAX_DEPTH,
    MAX_FRAME_BYTES,
    Ack,
    BadFrame,
    Command,
    Decoded,
    Hello,
    Ping,
    RefusedCommand,
    RunEnvelope,
    ServerFrame,
    Stop,
    Subscribe,
    Unsubscribe,
    Unwatch,
    Watch,
)
from app.protocol.run_input import UnreadableInput, read_run

FRAME_TYPES = (
    "hello",
    "run",
    "stop",
    "subscribe",
    "unsubscribe",
    "ack",
    "watch",
    "unwatch",
    "ping",
)

_Wire = Hello | RunEnvelope | Stop | Subscribe | Unsubscribe | Ack | Watch | Unwatch | Ping
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Wire)
_encoder = msgspec.json.Encoder()

_TOO_DEEP = f"A frame may nest {MAX_DEPTH} levels deep."
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")

_UP_TO_LONE = re.compile(
    rb"((?:[^\\]++|\\[^u]|\\u(?![dD][89a-fA-F])"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+)"
    rb"(\\u[dD][89a-fA-F][0-9a-fA-F]{2})?"
)
"""Text and escapes that are well, then the escape of a lone surrogate, if one follows. Possessive,
so linear on any input."""


class _Envelope(msgspec.Struct):
    """What can be made out of a frame that is wrong elsewhere."""

    id: msgspec.Raw = msgspec.Raw(b"null")
    type: msgspec.Raw = msgspec.Raw(b"null")
    v: msgspec.Raw = msgspec.Raw(b"1")


_envelope_decoder = msgspec.json.Decoder(_Envelope)


def decode(data: bytes | str) -> Decoded:
    """Return the command in one text frame, or what is wrong with it."""
    if isinstance(data, str):
        data = data.encode(errors="replace")
    if len(data) > MAX_FRAME_BYTES:
        return BadFrame(
            "too_large", f"A frame may have {MAX_FRAME_BYTES:,} bytes; this has {len(data):,}."
        )
    frame = _decode_or_bad(data)
    if not isinstance(frame, BadFrame) and _too_deep(data):
        return BadFrame("too_deep", _TOO_DEEP, frame.id)
    return frame


def encode(frame: ServerFrame) -> bytes:
    """Return the bytes of one frame that is not an event."""
    return _encoder.encode(frame)


def _decode_or_bad(data: bytes) -> Decoded:
    try:
        return _decode(data)
    except RecursionError:
        return BadFrame("too_deep", _TOO_DEEP)
    except (msgspec.DecodeError, UnicodeDecodeError) as first:
        mended = _without_lone_surrogates(data)
        if mended == data:
            return _bad(data, first)
    try:
        return _decode(mended)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as second:
        return _bad(mended, second)


def _decode(data: bytes) -> Command | RefusedCommand:
    wire: _Wire = _decoder.decode(data)
    if not isinstance(wire, RunEnvelope):
        return wire
    try:
        return read_run(wire)
    except UnreadableInput as unreadable:
        return RefusedCommand(wire.id, unreadable.code, unreadable.message)


def _too_deep(data: bytes) -> bool:
    """Tell whether valid JSON nests deeper than allowed, without a Python step per bracket."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    # Between quotes that are no escapes lie, in turn, structure and strings.
    structure = data.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2]
    brackets = b"".join(structure).translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        # One level of leaves: both kinds at once, so that `[{}]` loses one level, not two.
        brackets = brackets.replace(b"[]", b"L").replace(b"{}", b"L").replace(b"L", b"")
    return bool(brackets)


def _without_lone_surrogates(data: bytes) -> bytes:
    return _UP_TO_LONE.sub(
        lambda found: found[1] + rb"\ufffd" if found[2] else found[1],
        data,
    )


def _bad(data: bytes, why: Exception) -> BadFrame:
    """Name what is wrong as exactly as the bytes allow."""
    try:
        envelope = _envelope_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if isinstance(why, msgspec.ValidationError):
            return BadFrame("invalid", _short(why))
        return BadFrame("not_json", f"This is no JSON: {_short(why)}")
    ref = _plain(envelope.id)
    ref = ref if isinstance(ref, str) and 0 < len(ref) <= 64 else None
    kind = _plain(envelope.type)
    if kind not in FRAME_TYPES:
        known = ", ".join(FRAME_TYPES)
        return BadFrame("unknown_type", f"The type of a frame is one of {known}.", ref)
    if _plain(envelope.v) != 1:
        return BadFrame("unsupported_version", "This server speaks v 1.", ref)
    return BadFrame("invalid", f"{kind}: {_short(why)}", ref)


def _short(why: Exception) -> str:
    # It may quote a field name as long as the frame.
    text = str(why)
    return f"{text[:200]}…" if len(text) > 200 else f"{text}."


def _plain(raw: msgspec.Raw) -> Any:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    # Unhashable or huge values need not travel further than this.
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None
