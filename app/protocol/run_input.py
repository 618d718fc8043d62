"""What is read of an AG-UI `RunAgentInput`: where, which run, the newest user message, our wishes.

Lenient as AG-UI asks: fields that are not read may hold anything. Strict where guessing would
answer the wrong question: a message without text, or with parts that cannot be read yet, is
refused rather than shortened.
"""

from typing import Any, Literal
from uuid import UUID

import msgspec

from app.protocol.frames import MAX_MESSAGE_CHARACTERS, Run, RunEnvelope
from app.protocol.ids import stable_id

_MODES = ("answer", "regenerate", "edit")
_MAX_ID = 256


class UnreadableInput(Exception):
    """The input of a `run` cannot be taken up; `code` and `message` go into the reply."""

    def __init__(self, message: str, *, code: str = "invalid_input") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class _Input(msgspec.Struct, rename="camel"):
    thread_id: UUID
    run_id: str
    messages: list[msgspec.Raw] = []
    forwarded_props: msgspec.Raw = msgspec.Raw(b"null")


class _Role(msgspec.Struct):
    role: str = ""


class _UserMessage(msgspec.Struct):
    content: str | list[dict[str, Any]]
    id: str = ""


class _Props(msgspec.Struct):
    outcry: msgspec.Raw = msgspec.Raw(b"null")


class _Wishes(msgspec.Struct, rename="camel"):
    agent_id: str | None = None
    mode: str | None = None
    from_message_id: str | None = None


_input_decoder = msgspec.json.Decoder(_Input)
_role_decoder = msgspec.json.Decoder(_Role)
_message_decoder = msgspec.json.Decoder(_UserMessage)


def clean(text: str) -> str:
    """Return `text` with NUL replaced by U+FFFD (lone surrogates are mended before decoding)."""
    return text.replace("\x00", "�") if "\x00" in text else text


def read_run(envelope: RunEnvelope) -> Run:
    """Return the run that `envelope` asks for.

    Raises:
        UnreadableInput: it is no `RunAgentInput`, or one that cannot be taken up.
        DecodeError: it holds what no JSON decoder takes (a lone surrogate); mend and try again.
    """
    try:
        given = _input_decoder.decode(envelope.input)
    except msgspec.ValidationError as wrong:
        raise UnreadableInput(f"input: {wrong}.") from wrong
    _check_id("runId", given.run_id)
    wishes = _wishes(given.forwarded_props)
    mode = _mode(wishes.mode)
    message_id: UUID | None = None
    text = ""
    if mode != "regenerate":
        message = _newest_user_message(given.messages)
        text = _text(message.content)
        name = message.id or f"message of {envelope.id}"
        _check_id("the message's id", name)
        message_id = stable_id(given.thread_id, name)
    from_message_id = None
    if mode != "answer":
        if not wishes.from_message_id:
            raise UnreadableInput(
                f"Mode {mode!r} needs forwardedProps.outcry.fromMessageId.",
                code="from_message_id_missing",
            )
        _check_id("fromMessageId", wishes.from_message_id)
        from_message_id = stable_id(given.thread_id, wishes.from_message_id)
    agent = clean(wishes.agent_id) if wishes.agent_id else None
    if agent is not None and len(agent) > _MAX_ID:
        raise UnreadableInput(f"agentId may have {_MAX_ID} characters.")
    return Run(
        id=envelope.id,
        thread_id=given.thread_id,
        run_id=stable_id(given.thread_id, given.run_id),
        run_name=given.run_id,
        message_id=message_id,
        text=text,
        agent=agent,
        mode=mode,
        from_message_id=from_message_id,
    )


def _check_id(name: str, value: str) -> None:
    if not 0 < len(value) <= _MAX_ID:
        raise UnreadableInput(f"{name} must have 1 to {_MAX_ID} characters.")


def _wishes(forwarded_props: msgspec.Raw) -> _Wishes:
    try:
        props = msgspec.json.decode(forwarded_props, type=_Props | None)
        if props is None:
            return _Wishes()
        return msgspec.json.decode(props.outcry, type=_Wishes | None) or _Wishes()
    except msgspec.ValidationError as wrong:
        raise UnreadableInput(f"forwardedProps: {wrong}.") from wrong


def _mode(given: str | None) -> Literal["answer", "regenerate", "edit"]:
    match given:
        case None | "answer":
            return "answer"
        case "regenerate":
            return "regenerate"
        case "edit":
            return "edit"
        case _:
            raise UnreadableInput(f"mode is one of {', '.join(_MODES)}.")


def _newest_user_message(messages: list[msgspec.Raw]) -> _UserMessage:
    for raw in reversed(messages):
        try:
            if _role_decoder.decode(raw).role == "user":
                return _message_decoder.decode(raw)
        except msgspec.ValidationError as wrong:
            raise UnreadableInput(f"messages: {wrong}.") from wrong
    raise UnreadableInput("input.messages has no user message.")


def _text(content: str | list[dict[str, Any]]) -> str:
    if not isinstance(content, str):
        pieces = []
        for part in content:
            piece = part.get("text")
            if part.get("type") != "text" or not isinstance(piece, str):
                raise UnreadableInput(
                    "Only parts of type 'text' can be read yet.", code="unsupported_content"
                )
            pieces.append(piece)
        content = "\n\n".join(pieces)
    if len(content) > MAX_MESSAGE_CHARACTERS:
        raise UnreadableInput(
            f"A message may have {MAX_MESSAGE_CHARACTERS:,} characters; this has {len(content):,}.",
            code="too_large",
        )
    if not content.strip():
        raise UnreadableInput("The message is empty.", code="empty_message")
    return clean(content)
