"""Was anything lost, doubled or changed? Answered from a log, after the fact, by pure functions.

While a fault test runs, every client, the killer and the provider append what they did and saw to
a `Log`. Afterwards the stored state is read back and `violations` compares the two. Nothing here
talks to a server, so a log can be written down, shrunk and checked again.

The promises, by the names used in violations:

- `lost-message`: an acknowledged user message, or a shown run, is not stored.
- `doubled-message`: one message id, or one client message, is stored more than once.
- `changed-message`: the stored text differs from what was acknowledged.
- `hole`: a client saw event n+2 of a conversation after n, or the journal itself has a gap.
- `repeat`: one subscription showed an event twice, or out of order.
- `diverged`: two clients, or a client and the journal, differ about the content of one event.
- `unseen`: at the end a client lacks events that are stored, or shows more than is stored.
- `run-end`: a run has no end, more than one, or says more after it; or its row disagrees.
- `cost`: an attempt has no settled entry, several, or an entry belongs to no attempt.
- `transcript`: the fold of the events differs from the stored conversation.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

ENDS = ("RUN_FINISHED", "RUN_ERROR")
STOPPED_OF_OUTCOME = {"success": None, "cancelled": "cancelled"}


@dataclass(frozen=True)
class Submitted:
    """A client sent a user message; it may or may not have arrived."""

    client: str
    conversation: str
    command: str
    message: str
    run: str
    text: str


@dataclass(frozen=True)
class Acknowledged:
    """The server answered that message and run are durable."""

    client: str
    conversation: str
    command: str
    message: str
    run: str


@dataclass(frozen=True)
class Seen:
    """A client was shown one event. `socket` counts the client's connections."""

    client: str
    socket: int
    conversation: str
    seq: int
    event: dict[str, Any]
    at_s: float = 0.0


@dataclass(frozen=True)
class Killed:
    """Something was ended on purpose; kept so that a failure report can show when."""

    what: Literal["server", "postgres"]
    at_s: float


@dataclass(frozen=True)
class Asked:
    """The provider got a request: one attempt that must be accounted for."""

    conversation: str
    run: str


Entry = Submitted | Acknowledged | Seen | Killed | Asked


@dataclass(frozen=True)
class StoredMessage:
    id: str
    run: str | None
    role: str
    text: str
    stopped: str | None = None


@dataclass(frozen=True)
class StoredCost:
    id: str
    run: str
    status: str
    amount: str | None


@dataclass
class StoredConversation:
    """One conversation as read back when everything has come to rest."""

    id: str
    messages: list[StoredMessage] = field(default_factory=list)
    """Oldest first."""
    events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """The journal: (seq, event), as a fresh client is shown it."""
    runs: dict[str, str] = field(default_factory=dict)
    """Run id to status."""
    costs: list[StoredCost] = field(default_factory=list)


@dataclass
class Log:
    """What happened, in the order it was noticed."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)

    def of(self, *kinds: type) -> list[Any]:
        return [entry for entry in self.entries if isinstance(entry, kinds)]


@dataclass(frozen=True)
class Violation:
    promise: str
    conversation: str
    detail: str

    def __str__(self) -> str:
        return f"{self.promise} in {self.conversation}: {self.detail}"


def content_of(event: dict[str, Any]) -> str:
    """Return a hash of what an event says, apart from its sequence number.

    A text delta counts by its message and text only: in compact form nothing else is sent.
    """
    if event.get("type") == "TEXT_MESSAGE_CONTENT":
        said: Any = ["text", event.get("messageId"), event.get("delta")]
    else:
        said = {**event, "metadata": _without_seq(event.get("metadata"))}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _without_seq(metadata: dict[str, Any] | None) -> dict[str, Any]:
    metadata = dict(metadata or {})
    ours = {key: value for key, value in metadata.pop("outcry", {}).items() if key != "seq"}
    return {**metadata, "outcry": ours} if ours else metadata


# --- folding ----------------------------------------------------------------------------------


@dataclass
class Piece:
    """One message of a transcript, as the events alone tell it."""

    id: str
    run: str
    role: str
    text: str = ""
    stopped: str | None = None


def fold(events: Iterable[dict[str, Any]]) -> list[Piece]:
    """Return the messages that a client shows after these events, in order."""
    pieces: dict[str, Piece] = {}
    run, open_in_run = "", ""
    for event in events:
        match event.get("type"):
            case "RUN_STARTED":
                run, open_in_run = event["runId"], ""
                for message in event.get("input", {}).get("messages", []):
                    pieces[message["id"]] = Piece(
                        message["id"], run, message["role"], text_of(message["content"])
                    )
            case "TEXT_MESSAGE_START":
                open_in_run = event["messageId"]
                pieces[open_in_run] = Piece(open_in_run, run, "assistant")
            case "TEXT_MESSAGE_CONTENT":
                pieces[event["messageId"]].text += event["delta"]
            case "RUN_FINISHED":
                stopped = STOPPED_OF_OUTCOME.get(event["outcome"]["type"])
                if open_in_run:
                    pieces[open_in_run].stopped = stopped
            case "RUN_ERROR":
                if open_in_run:
                    pieces[open_in_run].stopped = "failed"
    return list(pieces.values())


def text_of(content: Any) -> str:
    """Return the text of an AG-UI message content, given as a string or as parts."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content if part.get("type") == "text")


# --- checking ---------------------------------------------------------------------------------


def violations(log: Log, stored: Sequence[StoredConversation]) -> list[Violation]:
    """Return every broken promise; an empty list is the only good answer."""
    found: list[Violation] = []
    by_id = {conversation.id: conversation for conversation in stored}
    touched = {
        entry.conversation for entry in log.of(Submitted, Acknowledged, Seen, Asked)
    } | by_id.keys()
    for conversation_id in sorted(touched):
        conversation = by_id.get(conversation_id, StoredConversation(conversation_id))
        entries = [
            entry
            for entry in log.entries
            if not isinstance(entry, Killed) and entry.conversation == conversation_id
        ]
        seen = [entry for entry in entries if isinstance(entry, Seen)]
        for promise, details in (
            ("lost-message", _lost(entries, conversation)),
            ("doubled-message", _doubled(conversation, entries)),
            ("changed-message", _changed(entries, conversation)),
            ("hole", _holes(seen, conversation)),
            ("repeat", _repeats(seen)),
            ("diverged", _diverged(seen, conversation)),
            ("unseen", _unseen(seen, conversation)),
            ("run-end", _run_ends(conversation)),
            ("cost", _costs(entries, conversation)),
            ("transcript", _transcript(seen, conversation)),
        ):
            found += [Violation(promise, conversation_id, detail) for detail in details]
    return found


def _lost(entries: Sequence[Entry], stored: StoredConversation) -> Iterator[str]:
    messages = {message.id for message in stored.messages}
    for entry in entries:
        if isinstance(entry, Acknowledged):
            if entry.message not in messages:
                yield f"message {entry.message} was acknowledged to {entry.client}"
            if entry.run not in stored.runs:
                yield f"run {entry.run} was acknowledged to {entry.client}"
    shown = {
        entry.event["runId"]
        for entry in entries
        if isinstance(entry, Seen) and entry.event.get("type") == "RUN_STARTED"
    }
    for run in sorted(shown - stored.runs.keys()):
        yield f"run {run} was shown"


def _doubled(stored: StoredConversation, entries: Sequence[Entry]) -> Iterator[str]:
    for message, times in Counter(message.id for message in stored.messages).items():
        if times > 1:
            yield f"message {message} is stored {times} times"
    runs_of: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for entry in entries:
        if isinstance(entry, Acknowledged):
            runs_of[entry.command].add((entry.message, entry.run))
    for command, results in runs_of.items():
        if len(results) > 1:
            yield f"command {command} was acknowledged as {sorted(results)}"
    sent: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        if isinstance(entry, Submitted):
            sent[entry.text].add(entry.message)
    kept = Counter(message.text for message in stored.messages if message.role == "user")
    for text, times in kept.items():
        if text in sent and times > len(sent[text]):
            yield f"the text of {sorted(sent[text])} is stored {times} times"


def _changed(entries: Sequence[Entry], stored: StoredConversation) -> Iterator[str]:
    texts = {message.id: message.text for message in stored.messages}
    for entry in {e for e in entries if isinstance(e, Submitted)}:
        kept = texts.get(entry.message, entry.text)
        if kept != entry.text:
            yield f"message {entry.message} is stored as {kept[:60]!r}, not {entry.text[:60]!r}"


def _holes(seen: Sequence[Seen], stored: StoredConversation) -> Iterator[str]:
    numbers = sorted(seq for seq, _ in stored.events)
    if numbers and numbers != list(range(1, len(numbers) + 1)):
        missing = sorted(set(range(1, numbers[-1] + 1)) - set(numbers))
        yield f"the journal lacks {missing[:10]} or holds a number twice"
    for client, entries in _by_client(seen).items():
        numbers = sorted({entry.seq for entry in entries})
        missing = sorted(set(range(1, (numbers or [0])[-1] + 1)) - set(numbers))
        if missing:
            yield f"client {client} never saw {missing[:10]}"
        last = 0
        for entry in entries:
            if entry.seq > last + 1:
                yield f"client {client} saw {entry.seq} right after {last}"
            last = max(last, entry.seq)


def _repeats(seen: Sequence[Seen]) -> Iterator[str]:
    last: dict[str, int] = {}
    for entry in seen:
        if entry.seq <= last.get(entry.client, 0):
            yield (
                f"client {entry.client} saw {entry.seq} on socket {entry.socket} "
                f"after {last[entry.client]}"
            )
        last[entry.client] = max(entry.seq, last.get(entry.client, 0))


def _diverged(seen: Sequence[Seen], stored: StoredConversation) -> Iterator[str]:
    contents: dict[int, dict[str, str]] = defaultdict(dict)
    for seq, event in stored.events:
        contents[seq]["the journal"] = content_of(event)
    for entry in seen:
        contents[entry.seq].setdefault(entry.client, content_of(entry.event))
    for seq, said in sorted(contents.items()):
        if len(set(said.values())) > 1:
            yield f"event {seq} differs between {sorted(said)}"


def _unseen(seen: Sequence[Seen], stored: StoredConversation) -> Iterator[str]:
    newest = max((seq for seq, _ in stored.events), default=0)
    for client, entries in _by_client(seen).items():
        reached = max(entry.seq for entry in entries)
        if reached != newest:
            yield f"client {client} stands at {reached}, the journal at {newest}"


def _run_ends(stored: StoredConversation) -> Iterator[str]:
    order = sorted(stored.events, key=lambda pair: pair[0])
    ends: Counter[str] = Counter()
    started: list[str] = []
    run = ""
    for seq, event in order:
        kind = event.get("type")
        if kind == "RUN_STARTED":
            if run:
                yield f"run {event['runId']} starts at {seq} while {run} is open"
            run = event["runId"]
            started.append(run)
        elif not run:
            yield f"event {seq} ({kind}) belongs to no open run"
        elif kind in ENDS:
            ends[run] += 1
            expected = _status_of_end(event)
            if stored.runs.get(run) not in (None, expected):
                yield f"run {run} ended {expected} but is stored as {stored.runs[run]}"
            run = ""
    if run:
        yield f"run {run} has no end"
    for again, times in Counter(started).items():
        if times > 1:
            yield f"run {again} starts {times} times"
    for stored_run, status in stored.runs.items():
        if status == "running":
            yield f"run {stored_run} is still marked running"
        if stored_run not in started:
            yield f"run {stored_run} has no event"


def _status_of_end(event: dict[str, Any]) -> str:
    if event["type"] == "RUN_ERROR":
        return "failed"
    outcome = str(event["outcome"]["type"])
    return "finished" if outcome == "success" else outcome


def _costs(entries: Sequence[Entry], stored: StoredConversation) -> Iterator[str]:
    for cost, times in Counter(cost.id for cost in stored.costs).items():
        if times > 1:
            yield f"cost entry {cost} is stored {times} times"
    for entry in stored.costs:
        if entry.status != "settled":
            yield f"cost entry {entry.id} of run {entry.run} is {entry.status}"
        if entry.run not in stored.runs:
            yield f"cost entry {entry.id} belongs to no run"
    booked = Counter(cost.run for cost in stored.costs)
    asked = Counter(entry.run for entry in entries if isinstance(entry, Asked))
    for run, times in asked.items():
        if booked[run] < times:
            yield f"run {run} asked its provider {times} times and booked {booked[run]}"
    for run, times in booked.items():
        # A kill between the reservation and the request leaves one entry that asked nothing.
        spare = 0 if stored.runs.get(run) == "finished" else 1
        if asked and times > asked[run] + spare:
            yield f"run {run} asked its provider {asked[run]} times but booked {times}"


def _transcript(seen: Sequence[Seen], stored: StoredConversation) -> Iterator[str]:
    kept = [_line(m.id, m.role, m.text, m.stopped) for m in stored.messages]
    told = {client: [e.event for e in entries] for client, entries in _by_client(seen).items()}
    told["the journal"] = [event for _, event in sorted(stored.events, key=lambda pair: pair[0])]
    for client, events in told.items():
        try:
            pieces = fold(events)
        except KeyError as error:
            yield f"the events of {client} cannot be folded: {error} is unknown"
            continue
        # An answer that never said anything has no row; it leaves no trace in a transcript.
        lines = [_line(p.id, p.role, p.text, p.stopped) for p in pieces if p.text]
        if lines != kept:
            different = next(
                (pair for pair in zip(lines, kept, strict=False) if pair[0] != pair[1]),
                (f"{len(lines)} messages", f"{len(kept)} messages"),
            )
            yield f"{client} shows {different[0]}, stored is {different[1]}"


def _line(message: str, role: str, text: str, stopped: str | None) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{role} {message} {len(text)} characters {digest} stopped={stopped}"


def _by_client(seen: Sequence[Seen]) -> dict[str, list[Seen]]:
    clients: dict[str, list[Seen]] = defaultdict(list)
    for entry in seen:
        clients[entry.client].append(entry)
    return clients
