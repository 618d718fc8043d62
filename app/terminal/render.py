"""Draw a run in the terminal as it happens: steps, tool lines, streamed text, evidence, receipt."""

from typing import Any

import msgspec
from rich.console import Console, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from app.domain.runs import StoredEvent

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class RunView:
    """Shows one run. Feed it the events in order; `close` leaves the finished answer standing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._text = ""
        self._claims: list[dict[str, Any]] = []
        self._tools: dict[str, str] = {}
        self._live = Live(console=console, refresh_per_second=12, transient=True)
        self._live.start()
        self.ended: dict[str, Any] = {}
        """The last event: RUN_FINISHED or RUN_ERROR."""

    def show(self, stored: StoredEvent) -> None:
        """Draw one event."""
        if stored.type == "TEXT_MESSAGE_CONTENT":
            self._text += stored.payload
            self._live.update(Markdown(self._text))
            return
        event = msgspec.json.decode(stored.payload)
        match stored.type:
            case "STEP_STARTED":
                if not self._text:
                    self._live.update(Text(f"  {event['stepName']} …", style="dim"))
            case "TEXT_MESSAGE_START":
                self._flush_text()
            case "TOOL_CALL_START":
                self._flush_text()
                self._tools[event["toolCallId"]] = event["toolCallName"]
            case "TOOL_CALL_RESULT":
                self._live.console.print(_tool_line(event, self._tools))
            case "CUSTOM" if event["name"] == "outcry.claims":
                self._claims = event["value"]["claims"]
            case "RUN_FINISHED" | "RUN_ERROR":
                self.ended = event

    def close(self) -> None:
        """Print the answer with its evidence and receipt, and stop drawing."""
        self._live.stop()
        if self._text:
            self._console.print(Markdown(with_footnotes(self._text, self._claims)))
            if table := _evidence(self._claims):
                self._console.print(table)
        if self.ended.get("type") == "RUN_ERROR":
            self._console.print(Text(self.ended["message"], style="bold red"))
        elif self.ended.get("outcome", {}).get("type") == "cancelled":
            self._console.print(Text("stopped", style="dim italic"))
        receipt = self.ended.get("metadata", {}).get("outcry", {}).get("receipt")
        if receipt:
            self._console.print(Text(receipt_line(receipt), style="dim"))

    def _flush_text(self) -> None:
        if self._text:
            self._live.console.print(Markdown(self._text))
            self._text = ""


def with_footnotes(text: str, claims: list[dict[str, Any]]) -> str:
    """Return `text` with a superscript after each supported number and "?" after the others."""
    marked = text
    for claim in sorted(claims, key=lambda claim: -int(claim["end"])):
        if claim["status"] == "parameter":
            continue
        mark = str(claim["index"]).translate(_SUPERSCRIPTS)
        if claim["status"] == "unverified":
            mark = "⁽?⁾"
        marked = marked[: claim["end"]] + mark + marked[claim["end"] :]
    return marked


def receipt_line(receipt: dict[str, Any]) -> str:
    """Return the receipt in one line: "0.0021 USD · 812 tokens · 1.9 s"."""
    tokens = receipt["inputTokens"] + receipt["outputTokens"]
    if not receipt["priced"]:
        price = "price unknown"
    elif receipt["amount"] == "0":
        price = "free"
    else:
        price = f"{receipt['amount']} {receipt['currency']}"
    if receipt["estimated"]:
        price += " (estimated)"
    seconds = receipt["durationMs"] / 1000
    return f"{price} · {tokens:,} tokens · {seconds:.1f} s · {receipt['provider']}"


def _tool_line(event: dict[str, Any], tools: dict[str, str]) -> RenderableType:
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


def _evidence(claims: list[dict[str, Any]]) -> Table | None:
    """Return the footnotes: what each number is, exactly; and once, where they come from."""
    supported = [claim for claim in claims if claim["status"] == "supported"]
    if not supported:
        return None
    told = {(claim.get("source") or "", (claim.get("asOf") or "")[:10]) for claim in supported}
    sources = "; ".join(f"{source}, as of {as_of}" for source, as_of in sorted(told))
    table = Table(
        box=None,
        padding=(0, 1, 0, 0),
        show_header=False,
        caption=f"Source: {sources}",
        caption_justify="left",
        caption_style="dim italic",
    )
    for style in ("dim", "dim", "dim", "dim"):
        table.add_column(style=style, overflow="fold")
    for claim in supported:
        table.add_row(
            str(claim["index"]).translate(_SUPERSCRIPTS),
            claim.get("label") or "",
            _exactly(claim),
            claim.get("tool") or "",
        )
    return table


def _exactly(claim: dict[str, Any]) -> str:
    value, unit = claim.get("value"), claim.get("unit") or ""
    if isinstance(value, str) and value.endswith("T00:00:00Z"):
        return value[:10]
    shown = f"{value:.10g}" if isinstance(value, float) else str(value)
    return f"{shown} {unit}".strip()
