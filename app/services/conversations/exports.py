"""A whole conversation as a file, with everything that backs its numbers."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable
from typing import Literal

import msgspec

from agents.claims import Claim
from app.domain.errors import NotFound
from app.domain.views import ConversationView, MessageView
from app.services.market.charts import Look, picture_of, stored_card
from tools.drawing.card import ChartCard, describe

ChartsShown = Literal["none", "link", "embed"]
_EMBEDDED = Look(width=760, scale=1.5)
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
    conversation: ConversationView,
    messages: AsyncIterator[MessageView],
    *,
    charts: ChartsShown = "none",
) -> AsyncIterator[bytes]:
    """Yield the conversation as Markdown; each claim is a footnote of its message.

    Charts are left out, linked to on this server, or put into the file as pictures.
    """
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
        pictures = [
            await _picture(card, url, embed=charts == "embed")
            for card, url in (charts_of(message) if charts != "none" else [])
        ]
        yield _message(message, number, pictures).encode()


def charts_of(message: MessageView) -> list[tuple[ChartCard, str]]:
    """Return a message's charts and where they are, of one instrument the one that says most."""
    best: dict[tuple[str, str], tuple[ChartCard, str]] = {}
    for one in message.attachments:
        try:
            card = stored_card(one.content)
        except NotFound:
            continue  # another card: a signal
        key = card.symbol, card.timeframe
        known = best.get(key)
        if known is None or _says(card) > _says(known[0]):
            best[key] = card, one.url
    return list(best.values())


def _says(card: ChartCard) -> int:
    return len(card.markers) + len(card.levels)


async def _picture(card: ChartCard, url: str, *, embed: bool) -> str:
    """Return a chart as a Markdown image, its description as the text that stands for it."""
    told = _line(describe(card)).replace("[", "(").replace("]", ")")
    where = f"{url}/picture"
    if embed:
        drawn = await asyncio.to_thread(picture_of, card, _EMBEDDED)
        where = f"data:{drawn.media_type};base64,{base64.b64encode(drawn.content).decode()}"
    return f"![{_line(card.symbol)}: {told}]({where})"


def _message(message: MessageView, number: int, pictures: list[str]) -> str:
    when = message.timestamp.strftime("%Y-%m-%d %H:%M:%S UTC")
    parts = [f"\n## {_SPEAKER[message.role]} · {when}\n\n"]
    parts.append(with_footnotes(message.content, message.claims, number) + "\n")
    parts += [f"\n{picture}\n" for picture in pictures]
    if message.stopped is not None:
        parts.append(f"\n*This answer is incomplete: it was {message.stopped}.*\n")
    parts += [f"\n*{grade.symbol or 'Forecast'}: {grade.words}*\n" for grade in message.grades]
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
