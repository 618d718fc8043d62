"""Show a run as it happens: steps, tool lines, streamed text, evidence, receipt.

`RunView` draws for a person at a terminal. `PipeView` writes the answer as a Markdown document to
standard output, for a file or a pipe, and everything beside it to standard error.
"""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from app.domain.runs import StoredEvent
from app.terminal.evidence import (
    Note,
    exactly,
    notes_of,
    sources_of,
    superscript,
    with_references,
    with_superscripts,
)


class View(Protocol):
    """Shows one run; feed it the events in order, then close it."""

    def show(self, stored: StoredEvent) -> None: ...
    def close(self) -> None: ...


class _Told:
    """What a run has said so far, as both views need it."""

    def __init__(self) -> None:
        self.text = ""
        """Of the piece that is being said."""
        self.notes: list[Note] = []
        self.tools: dict[str, str] = {}
        self.ended: dict[str, Any] = {}

    def closing_lines(self) -> list[Text]:
        """Return what stands below the answer: how it went wrong, and the receipt."""
        lines: list[Text] = []
        if self.ended.get("type") == "RUN_ERROR":
            lines.append(Text(self.ended["message"], style="bold red"))
        elif self.ended.get("outcome", {}).get("type") == "cancelled":
            lines.append(Text("stopped", style="dim italic"))
        receipt = self.ended.get("metadata", {}).get("outcry", {}).get("receipt")
        if receipt:
            lines.append(Text(receipt_line(receipt), style="dim"))
        return lines

    def take(
        self,
        stored: StoredEvent,
        *,
        flush: Callable[[], None],
        on_tool: Callable[[RenderableType], None],
        on_step: Callable[[str], None],
    ) -> None:
        """Take up one event that is no text; the text before a tool or a new piece is flushed."""
        event = msgspec.json.decode(stored.payload)
        match stored.type:
            case "STEP_STARTED":
                if not self.text:
                    on_step(event["stepName"])
            case "TEXT_MESSAGE_START":
                flush()
            case "TOOL_CALL_START":
                flush()
                self.tools[event["toolCallId"]] = event["toolCallName"]
            case "TOOL_CALL_RESULT":
                on_tool(_tool_line(event, self.tools))
            case "CUSTOM" if event["name"] == "outcry.claims":
                self.notes = notes_of(event["value"]["claims"])
            case "RUN_FINISHED" | "RUN_ERROR":
                self.ended = event


class RunView:
    """Draws one run in a terminal; `close` leaves the finished answer standing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = _Told()
        self._live = Live(console=console, refresh_per_second=12, transient=True)
        self._live.start()

    def show(self, stored: StoredEvent) -> None:
        """Draw one event."""
        if stored.type == "TEXT_MESSAGE_CONTENT":
            self._told.text += stored.payload
            self._live.update(_Tail(Markdown(self._told.text)))
            return
        self._told.take(
            stored,
            flush=self._flush,
            on_tool=self._live.console.print,
            on_step=lambda name: self._live.update(Text(f"  {name} …", style="dim")),
        )

    def close(self) -> None:
        """Print the answer with its evidence and receipt, and stop drawing."""
        self._live.stop()
        told = self._told
        if told.text:
            self._console.print(Markdown(with_superscripts(told.text, told.notes)))
            if table := _evidence(told.notes):
                self._console.print()
                self._console.print(table)
            if source := sources_of(told.notes):
                self._console.print(Text(f"Source: {source}", style="dim italic"))
        for line in told.closing_lines():
            self._console.print(line)

    def _flush(self) -> None:
        if self._told.text:
            self._live.console.print(Markdown(self._told.text))
            self._told.text = ""


class PipeView:
    """Writes one run for other programs: the answer to `out`, all the rest to `err`."""

    def __init__(self, out: Console, err: Console) -> None:
        self._out = out
        self._err = err
        self._told = _Told()

    def show(self, stored: StoredEvent) -> None:
        """Take up one event."""
        if stored.type == "TEXT_MESSAGE_CONTENT":
            self._told.text += stored.payload
            return
        self._told.take(stored, flush=self._flush, on_tool=self._tell, on_step=lambda _: None)

    def close(self) -> None:
        """Write the answer and its footnotes, then the receipt."""
        self._flush()
        for line in self._told.closing_lines():
            self._tell(line)

    def _flush(self) -> None:
        if self._told.text:
            document = with_references(self._told.text, self._told.notes)
            self._out.out(document, highlight=False)
            self._told.text = ""

    def _tell(self, line: RenderableType) -> None:
        self._err.print(line, soft_wrap=True)


class _Tail:
    """The last lines of something, as many as the screen can hold while it grows."""

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._inner, options.update(height=None), pad=False)
        for line in lines[-max(1, console.height - 2) :]:
            yield from line
            yield Segment.line()


def receipt_line(receipt: dict[str, Any]) -> str:
    """Return the receipt in one line: "0.0021 USD · 812 tokens · 1.9 s"."""
    tokens = receipt["inputTokens"] + receipt["outputTokens"]
    if not tokens:
        price = "nothing used"
    elif not receipt["priced"]:
        price = f"price unknown · {tokens:,} tokens"
    elif receipt["amount"] == "0":
        price = f"free · {tokens:,} tokens"
    else:
        price = f"{receipt['amount']} {receipt['currency']} · {tokens:,} tokens"
    if receipt["estimated"]:
        price += " (estimated)"
    seconds = receipt["durationMs"] / 1000
    return f"{price} · {seconds:.1f} s · {receipt['provider']}"


def _tool_line(event: dict[str, Any], tools: dict[str, str]) -> Text:
    told = event.get("metadata", {}).get("outcry", {})
    name = tools.get(event["toolCallId"], "tool")
    if told.get("status") == "failure":
        return Text.assemble(("  ✗ ", "red"), (name, "bold"), f"  {event['content']}")
    return Text.assemble(
        ("  ✓ ", "green"),
        (name, "bold"),
        f"  {told.get('summary', '')}",
        (f"  {told.get('durationMs', 0)} ms", "dim"),
    )


def _evidence(notes: list[Note]) -> Table | None:
    """Return the footnotes: what each number is, exactly; and once, where they come from."""
    if not notes:
        return None
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    for _ in range(4):
        table.add_column(style="dim", overflow="fold")
    for note in notes:
        if note.number is not None:
            claim = note.claim
            label, tool = claim.get("label") or "", claim.get("tool") or ""
            table.add_row(superscript(note.number), label, exactly(claim), tool)
    if any(note.number is None for note in notes):
        table.add_row(superscript(None), "no evidence was found for these numbers", "", "")
    return table
