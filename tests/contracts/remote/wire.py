"""Records of what real servers said: written by a line that records, read by one that replays."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inference.runtimes.remote.line import Line, Reply, Spoken, Wire

WIRE = Path(__file__).parent / "wire"
KEPT_HEADERS = ("content-type", "retry-after")
_ID = "<request id>"
_SAME_LENGTH = b"00000000-0000-0000-0000-000000000000"
"""The same within a message, whose fields are as long as they say."""
_MOST_TEXT = 200
"""Characters of an answer that is no JSON; the rest is a traceback."""


@dataclass
class Recorder:
    """A line that writes down what goes over it."""

    line: Line
    heard: list[dict[str, Any]] = field(default_factory=list)

    def wire(self, server: str) -> Wire:
        """Return a wire that writes down too."""
        return RecordingWire(self.line.wire(server), self.heard)

    async def send(
        self, method: str, url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> Reply:
        """Send, and write down what came back."""
        reply = await self.line.send(method, url, body=body, headers=headers, timeout_s=timeout_s)
        sent = _without_id(body)
        own = json.loads(body).get("id", "") if body else ""
        self.heard.append(
            {
                "method": method,
                "path": urlsplit(url).path,
                **({"sent": sent} if sent is not None else {}),
                "status": reply.status,
                "headers": {k: v for k, v in reply.headers.items() if k in KEPT_HEADERS},
                "answer": _read(reply.body, own),
            }
        )
        return reply


@dataclass
class Replay:
    """A line that answers as a server once did, and to nothing else."""

    expected: list[dict[str, Any]]
    at: int = 0

    def wire(self, server: str) -> Wire:
        """Return a wire that answers from the same records."""
        assert server.startswith("grpc://")
        return ReplayedWire(self)

    def next(self, asked: str) -> dict[str, Any]:
        """Return what was recorded next."""
        assert self.at < len(self.expected), f"more is asked than was recorded: {asked}"
        self.at += 1
        return self.expected[self.at - 1]

    async def send(
        self, method: str, url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> Reply:
        """Return what came back then."""
        then = self.next(f"{method} {url}")
        assert (method, urlsplit(url).path) == (then["method"], then["path"])
        assert _without_id(body) == then.get("sent"), "something else is sent than was recorded"
        assert headers["X-Request-Id"]
        own = json.loads(body).get("id", "") if body else ""
        answer = then["answer"]
        text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
        return Reply(then["status"], text.replace(_ID, own).encode(), then["headers"])


@dataclass
class RecordingWire:
    """A wire that writes down what goes over it: messages as they are, in base64."""

    wire: Wire
    heard: list[dict[str, Any]]

    async def unary(
        self, method: str, message: bytes, *, metadata: Mapping[str, str], timeout_s: float
    ) -> Spoken:
        """Call, and write down what was said."""
        spoken = await self.wire.unary(method, message, metadata=metadata, timeout_s=timeout_s)
        own = metadata["x-request-id"].encode()
        told = {"sent": message, "answer": spoken.message, "details": spoken.details.encode()}
        hidden = {name: value.replace(own, _SAME_LENGTH) for name, value in told.items()}
        details = hidden.pop("details").decode()
        self.heard.append(
            {
                "method": method,
                "code": spoken.code,
                **({"details": details} if details else {}),
                **{name: b64encode(value).decode() for name, value in hidden.items() if value},
            }
        )
        return spoken

    async def aclose(self) -> None:
        """Hang up."""
        await self.wire.aclose()


@dataclass
class ReplayedWire:
    """A wire that answers as a server once did."""

    replay: Replay

    async def unary(
        self, method: str, message: bytes, *, metadata: Mapping[str, str], timeout_s: float
    ) -> Spoken:
        """Return what was said then."""
        then, own = self.replay.next(method), metadata["x-request-id"].encode()
        assert method == then["method"]
        sent = b64encode(message.replace(own, _SAME_LENGTH)).decode()
        assert sent == then.get("sent", ""), "something else is sent than was recorded"
        answer = b64decode(then.get("answer", "")).replace(_SAME_LENGTH, own)
        return Spoken(then["code"], answer, then.get("details", ""))

    async def aclose(self) -> None:
        """There is nothing to hang up."""


def read(product: str) -> dict[str, Any]:
    """Return what was recorded of a product."""
    told: dict[str, Any] = json.loads((WIRE / f"{product}.json").read_text())
    return told


def write(
    product: str,
    version: str,
    heard: Mapping[str, list[dict[str, Any]]],
    *,
    hide: Mapping[str, str],
) -> None:
    """Write what was recorded of a product, an exchange a line.

    `hide` says which words become which others: folders of the machine that it was recorded on.
    """
    head = {
        "product": product,
        "version": version,
        "recorded": datetime.now(UTC).date().isoformat(),
        "again": f"python -m tests.environments.remote_servers record {product}",
    }
    text = json.dumps(head, indent=1)[:-2] + ',\n "scenarios": {'
    for index, (name, exchanges) in enumerate(heard.items()):
        lines = ",\n   ".join(json.dumps(one, ensure_ascii=False) for one in exchanges)
        text += f"{',' if index else ''}\n  {json.dumps(name)}: [\n   {lines}\n  ]"
    text += "\n }\n}"
    for words, instead in hide.items():
        text = text.replace(words, instead)
    (WIRE / f"{product}.json").write_text(text + "\n")


def _without_id(body: bytes) -> Any:
    """Return what was sent; the id of a question is another each time."""
    if not body:
        return None
    told = json.loads(body)
    told.pop("id", None)
    return told


def _read(body: bytes, own: str) -> Any:
    """Return an answer as JSON, or the beginning of it as text."""
    text = body.decode(errors="replace")
    try:
        json.loads(text)
    except ValueError:
        return text[:_MOST_TEXT]
    return json.loads(text.replace(own, _ID) if own else text)
