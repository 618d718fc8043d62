"""A whole conversation as a file, with everything that backs its numbers."""

from collections.abc import AsyncIterator, Iterable

import msgspec

from agents.claims import Claim
from app.domain.views import ConversationView, MessageView

_SPEAKER = {"user": "You", "assistant": "Agent", "system": "System"}


async def as_json(
    conversation: ConversationView, messages: AsyncIterator[MessageView]
) -> AsyncIterator[bytes]:
    """Yield the seed's Conversation with all its messages, oldest first, as one JSON object."""
    encoder = msgspec.json.Encoder()
    head = encoder.encode(conversation)
    yield head[:-1] + b',"messages":['
    separator = b""
    async for message in messages:
        yield separator + encoder.encode(message)
        separator = b","
    yield b"]}\n"


async def as_markdown(
    conversation: ConversationView, messages: AsyncIterator[MessageView]
) -> AsyncIterator[bytes]:
    """Yield the conversation as Markdown; each claim is a footnote of its message."""
    began = conversation.started_at.strftime("%Y-%m-%d %H:%M UTC")
    title = conversation.title or "Conversation"
    cost = f"{conversation.cost.amount} {conversation.cost.currency}"
    if not conversation.cost.priced:
        cost += " and more (a model without a known price was used)"
    yield (
        f"# {title}\n\nWith {conversation.agent.name} (version {conversation.agent.version}), "
        f"begun {began}. Cost: {cost}.\n"
    ).encode()
    number = 0
    async for message in messages:
        number += 1
        yield _message(message, number).encode()


def _message(message: MessageView, number: int) -> str:
    when = message.timestamp.strftime("%Y-%m-%d %H:%M:%S UTC")
    parts = [f"\n## {_SPEAKER[message.role]} · {when}\n\n"]
    parts.append(with_footnotes(message.content, message.claims, number) + "\n")
    if message.stopped is not None:
        parts.append(f"\n*This answer is incomplete: it was {message.stopped}.*\n")
    if message.receipt is not None:
        receipt = message.receipt
        price = f"{receipt.amount} {receipt.currency}" if receipt.priced else "price not known"
        tokens = receipt.input_tokens + receipt.output_tokens
        parts.append(
            f"\n*{price} · {tokens:,} tokens · {receipt.duration_ms / 1000:.1f} s · "
            f"{receipt.provider}/{receipt.model}*\n"
        )
    notes = [f"[^{number}-{claim.index}]: {_note(claim)}\n" for claim in message.claims]
    return "".join([*parts, "\n" if notes else "", *notes])


def with_footnotes(text: str, claims: Iterable[Claim], number: int) -> str:
    """Return `text` with a footnote mark behind each claim; marks already in it are defused."""
    pieces: list[str] = []
    position = 0
    for claim in sorted(claims, key=lambda one: (one.end, one.index)):
        end = min(max(claim.end, position), len(text))
        pieces += [_defused(text[position:end]), f"[^{number}-{claim.index}]"]
        position = end
    return "".join([*pieces, _defused(text[position:])])


def _defused(text: str) -> str:
    return text.replace("[^", "\\[^")


def _note(claim: Claim) -> str:
    if claim.status == "unverified":
        return f"“{_line(claim.text)}”: no evidence was found for this number."
    said = [f"“{_line(claim.text)}”"]
    if claim.label:
        said.append(_line(claim.label))
    if claim.value is not None:
        unit = f" {claim.unit}" if claim.unit else ""
        said.append(f"exactly {_line(str(claim.value))}{unit}")
    if claim.status == "parameter":
        said.append("as asked for")
    if claim.tool:
        at = f", {claim.path}" if claim.path else ""
        said.append(f"tool `{claim.tool}` (call {claim.tool_call_id}{at})")
    if claim.as_of is not None:
        said.append(f"as of {claim.as_of.isoformat().replace('+00:00', 'Z')}")
    if claim.source:
        said.append(_line(claim.source))
    return "; ".join(said) + "."


def _line(text: str) -> str:
    return " ".join(text.split())
