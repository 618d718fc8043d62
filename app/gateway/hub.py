"""Who follows which conversation in this process, and how each gets every event once, in order.

`publish` is called by the journal after each commit and never waits. A follower is *behind* (a
replay is bringing it up to date, live events wait in a small buffer) or *live* (each event goes
straight out). An event that does not continue a live follower's position puts it behind again, so
a hole heals from the journal instead of being shown.
"""

from collections.abc import Callable, Sequence

from app.domain.ids import ConversationId
from app.domain.runs import StoredEvent
from app.gateway.outbox import Outbox
from app.gateway.translate import Frames

_MAX_WAITING = 512
"""Live events kept per follower while it is behind; more are read from the journal instead."""


class Follower:
    """One socket's place in one conversation."""

    __slots__ = (
        "_fell_behind",
        "_outbox",
        "_waiting",
        "active",
        "announced",
        "conversation_id",
        "live",
        "position",
        "wanted",
    )

    def __init__(
        self,
        conversation_id: ConversationId,
        since: int,
        outbox: Outbox,
        fell_behind: Callable[["Follower"], None],
    ) -> None:
        self.conversation_id = conversation_id
        self.position = since
        """The last event that was sent."""
        self.wanted = 0
        """An event that is known to be stored, by another process."""
        self.live = False
        self.active = True
        """False once it was left, replaced, or its socket is gone."""
        self.announced = False
        """`caughtUp` was sent."""
        self._outbox = outbox
        self._fell_behind = fell_behind
        self._waiting: list[StoredEvent] | None = []

    def take(self, frames: Frames) -> None:
        """Send a live event, keep it for later, or notice that something is missing."""
        seq = frames.event.seq
        if self.live:
            if seq == self.position + 1:
                self.position = seq
                self._outbox.offer_event(frames, self)
            elif seq > self.position:
                self.fall_behind(frames.event)
        elif self._waiting is not None:
            if len(self._waiting) < _MAX_WAITING:
                self._waiting.append(frames.event)
            else:
                self._waiting = None

    def replay(self, event: StoredEvent) -> None:
        """Send an event that was read from the journal."""
        self.position = event.seq
        self._outbox.offer_event(Frames(event), self)

    def fall_behind(self, event: StoredEvent | None = None) -> None:
        """Stop sending live events and ask for a replay."""
        if self.live and self.active:
            self.live = False
            self._waiting = [event] if event is not None else []
            self._fell_behind(self)

    def go_live(self) -> bool:
        """Send the events that waited and go live; False if the journal must be read again."""
        waiting, self._waiting = self._waiting, []
        if waiting is None:
            return False
        for event in waiting:
            if event.seq <= self.position:
                continue
            if event.seq != self.position + 1:
                return False
            self.replay(event)
        if self.position < self.wanted:
            return False
        self.live = True
        self._waiting = None
        return True


class Hub:
    """Followers by conversation; `app.services.ports.Publisher` for the journal."""

    def __init__(self) -> None:
        # Tuples, replaced on change: a follower may come or go while events are handed out.
        self._followers: dict[ConversationId, tuple[Follower, ...]] = {}

    def publish(self, events: Sequence[StoredEvent]) -> None:
        """Hand durable events to all followers of their conversations."""
        followers = self._followers
        for event in events:
            following = followers.get(event.conversation_id)
            if following is None:
                continue
            frames = Frames(event)
            for follower in following:
                follower.take(frames)

    def wake(self, conversation_id: ConversationId, seq: int) -> None:
        """Tell that another process stored events up to `seq`: whoever lacks them reads them."""
        for follower in self._followers.get(conversation_id, ()):
            if follower.position < seq:
                follower.wanted = max(follower.wanted, seq)
                follower.fall_behind()

    def add(self, follower: Follower) -> None:
        """Let `follower` have what is published from now on."""
        key = follower.conversation_id
        self._followers[key] = (*self._followers.get(key, ()), follower)

    def remove(self, follower: Follower) -> None:
        """Let `follower` have nothing more."""
        follower.active = False
        follower.live = False
        rest = tuple(
            other
            for other in self._followers.get(follower.conversation_id, ())
            if other is not follower
        )
        if rest:
            self._followers[follower.conversation_id] = rest
        else:
            self._followers.pop(follower.conversation_id, None)

    def __len__(self) -> int:
        """Count followers, for metrics and tests."""
        return sum(len(following) for following in self._followers.values())
