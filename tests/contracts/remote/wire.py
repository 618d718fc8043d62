"""Records of what real servers said: written by a line that records, read by one that replays."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inference.runtimes.remote.line import Line, Reply, Wire

WIRE = Path(__file__).parent / "wire"
KEPT_HEADERS = ("content-type", "retry-after")
_ID = "<request id>"
_MOST_TEXT = 200
"""Characters of an answer that is no JSON; the rest is a traceback."""


@dataclass
class Recorder:
    """A line that writes down what goes over it."""

    line: Line
    heard: list[dict[str, Any]] = field(default_factory=list)

    def wire(self, server: str) -> Wire:
        """Calls over gRPC are not written down."""
        return self.line.wire(server)

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
        """Calls over gRPC were not written down."""
        raise AssertionError(f"{server} is asked over gRPC")

    async def send(
        self, method: str, url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> Reply:
        """Return what came back then."""
        assert self.at < len(self.expected), f"more is asked than was recorded: {method} {url}"
        then = self.expected[self.at]
        self.at += 1
        assert (method, urlsplit(url).path) == (then["method"], then["path"])
        assert _without_id(body) == then.get("sent"), "something else is sent than was recorded"
        assert headers["X-Request-Id"]
        own = json.loads(body).get("id", "") if body else ""
        answer = then["answer"]
        text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
        return Reply(then["status"], text.replace(_ID, own).encode(), then["headers"])


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
