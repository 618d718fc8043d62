"""Pick which waiting calls run together next.

Pure bookkeeping: no clock, no lock, no array. `engine.py` supplies the time and does the waiting.
A batch holds calls of one group (one model, the same columns, the same wish for explanations).
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from inference.engine.requests import Priority

_PATIENCE = 4
"""So many batches of people may go before a job that waits has its turn."""


@dataclass(frozen=True)
class Group:
    """What may share a batch."""

    model: str
    columns: tuple[str, ...]
    texts: tuple[str, ...] = ()
    explain: bool = False


@dataclass(eq=False)
class Call:
    """One call that waits."""

    id: int
    group: Group
    rows: int
    deadline: float
    """On the clock of whoever calls `take`."""
    priority: Priority = "interactive"
    alone: bool = False
    """It was in a batch whose worker was lost: now it runs by itself, to see whose fault it was."""


@dataclass(frozen=True)
class Batch:
    """Calls that run together."""

    id: int
    group: Group
    calls: tuple[Call, ...]
    lane: str

    @property
    def rows(self) -> int:
        """All their rows."""
        return sum(call.rows for call in self.calls)

    @property
    def deadline(self) -> float:
        """When the last of them gives up."""
        return max(call.deadline for call in self.calls)


@dataclass(frozen=True)
class Limits:
    """What may run at the same time."""

    per_model: int = 1
    """Batches of one model."""
    lanes: dict[str, int] = field(default_factory=lambda: {"compute": 1, "distant": 8})
    """Batches of all models that share what a lane stands for: this computer, or waiting for
    somebody else's."""


@dataclass
class ModelTraits:
    """What is known of a model."""

    max_batch: int = 1
    lane: str = "compute"


class Batcher:
    """Holds the calls that wait and knows which batches run."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._traits: dict[str, ModelTraits] = {}
        self._waiting: dict[Priority, dict[Group, OrderedDict[int, Call]]] = {
            "interactive": {},
            "batch": {},
        }
        self._groups: dict[int, tuple[Priority, Group]] = {}
        self._rows: dict[Priority, dict[str, int]] = {"interactive": {}, "batch": {}}
        self._running: dict[int, Batch] = {}
        self._by_model: dict[str, int] = {}
        self._by_lane: dict[str, int] = dict.fromkeys(limits.lanes, 0)
        self._in_a_row = 0
        self._next_batch = 0

    def __len__(self) -> int:
        return len(self._groups)

    def know(self, model: str, traits: ModelTraits) -> None:
        """Learn how many rows of a model may run together, and where."""
        if traits.lane not in self._limits.lanes:
            raise KeyError(traits.lane)
        self._traits[model] = traits

    def forget(self, model: str) -> None:
        """Let the calls of a model wait until it is known again."""
        self._traits.pop(model, None)

    def waiting(self) -> dict[Priority, dict[str, int]]:
        """Return how many rows wait, by priority and model."""
        return self._rows

    def running(self) -> Iterator[Batch]:
        """Return the batches that run."""
        return iter(self._running.values())

    def running_of(self, model: str) -> int:
        """Return how many batches of a model run."""
        return self._by_model.get(model, 0)

    def add(self, call: Call) -> None:
        """Let a call wait."""
        lines = self._waiting[call.priority]
        line = lines.get(call.group)
        if line is None:
            line = lines[call.group] = OrderedDict()
        line[call.id] = call
        self._groups[call.id] = (call.priority, call.group)
        rows, model = self._rows[call.priority], call.group.model
        rows[model] = rows.get(model, 0) + call.rows

    def add_again(self, call: Call) -> None:
        """Let a call wait that ran in vain, at the place it had."""
        self.add(call)
        lines = self._waiting[call.priority]
        lines[call.group] = OrderedDict(sorted(lines[call.group].items()))

    def drop(self, call_id: int) -> Call | None:
        """Take out a call that nobody waits for any more; None when it does not wait here."""
        place = self._groups.pop(call_id, None)
        if place is None:
            return None
        priority, group = place
        line = self._waiting[priority][group]
        call = line.pop(call_id)
        if not line:
            del self._waiting[priority][group]
        rows = self._rows[priority]
        rows[group.model] -= call.rows
        if not rows[group.model]:
            del rows[group.model]
        return call

    def drop_model(self, model: str) -> list[Call]:
        """Take out every call of a model."""
        found = [call_id for call_id, (_, group) in self._groups.items() if group.model == model]
        return [call for call_id in found if (call := self.drop(call_id)) is not None]

    def expire(self, *, now: float) -> list[Call]:
        """Take out the calls whose deadline has passed."""
        late = [
            call_id
            for lines in self._waiting.values()
            for line in lines.values()
            for call_id, call in line.items()
            if call.deadline <= now
        ]
        return [call for call_id in late if (call := self.drop(call_id)) is not None]

    def take(self, *, now: float) -> Batch | None:
        """Return the next batch, or None while nothing may run.

        People go before jobs, but after some batches of theirs one job has its turn. Among equals,
        whoever came first; the room that is left is filled with calls of the same group. Calls that
        are past their deadline are left for `expire`.
        """
        order: tuple[Priority, ...] = ("interactive", "batch")
        if self._in_a_row >= _PATIENCE:
            order = ("batch", "interactive")
        for priority in order:
            first = self._first(priority, now=now)
            if first is None:
                continue
            # Only what kept somebody waiting counts.
            held_up = priority == "interactive" and self._waiting["batch"]
            self._in_a_row = self._in_a_row + 1 if held_up else 0
            return self._start(first, now=now)
        return None

    def done(self, batch_id: int) -> Batch:
        """Note that a batch does not run any more, and return it."""
        batch = self._running.pop(batch_id)
        self._by_model[batch.group.model] -= 1
        if not self._by_model[batch.group.model]:
            del self._by_model[batch.group.model]
        self._by_lane[batch.lane] -= 1
        return batch

    def _first(self, priority: Priority, *, now: float) -> Call | None:
        """Return the oldest call that may run now."""
        oldest: Call | None = None
        for group, line in self._waiting[priority].items():
            traits = self._traits.get(group.model)
            if traits is None or not self._has_room(group.model, traits):
                continue
            for call in line.values():
                if call.deadline > now:
                    if oldest is None or call.id < oldest.id:
                        oldest = call
                    break
        return oldest

    def _has_room(self, model: str, traits: ModelTraits) -> bool:
        return (
            self._by_model.get(model, 0) < self._limits.per_model
            and self._by_lane[traits.lane] < self._limits.lanes[traits.lane]
        )

    def _start(self, first: Call, *, now: float) -> Batch:
        group = first.group
        traits = self._traits[group.model]
        chosen, rows = [first], first.rows
        if not first.alone:
            others: tuple[Priority, Priority] = ("interactive", "batch")
            if first.priority == "batch":
                others = ("batch", "interactive")
            for priority in others:
                for call in self._waiting[priority].get(group, {}).values():
                    if call is first or call.alone or call.deadline <= now:
                        continue
                    if rows + call.rows > traits.max_batch:
                        break  # whoever came first is not overtaken by a smaller one
                    chosen.append(call)
                    rows += call.rows
        for call in chosen:
            self.drop(call.id)
        self._next_batch += 1
        batch = Batch(self._next_batch, group, tuple(chosen), traits.lane)
        self._running[batch.id] = batch
        self._by_model[group.model] = self._by_model.get(group.model, 0) + 1
        self._by_lane[traits.lane] += 1
        return batch
