"""The newest turns of conversations that are being talked in, so that no turn reads them anew.

A window is valid for exactly one state of the journal: whoever asks names the newest sequence
number, and anything else that was written since (another process, another door) makes it stale.
"""

from collections import OrderedDict

from agents.messages import Message
from app.domain.ids import ConversationId


class Histories:
    """Windows of turns, least recently used first to go; bounded in number and in size."""

    def __init__(
        self,
        *,
        most_turns: int = 40,
        most_conversations: int = 512,
        most_characters: int = 32_000_000,
    ) -> None:
        self.most_turns = most_turns
        self._most_conversations = most_conversations
        self._most_characters = most_characters
        self._characters = 0
        self._kept: OrderedDict[ConversationId, tuple[int, int, list[Message]]] = OrderedDict()

    def take(self, conversation_id: ConversationId, *, at_seq: int) -> list[Message] | None:
        """Return and forget the window, None if there is none for the journal as of `at_seq`."""
        kept = self._kept.pop(conversation_id, None)
        if kept is None:
            return None
        seq, size, messages = kept
        self._characters -= size
        return messages if seq == at_seq else None

    def keep(self, conversation_id: ConversationId, messages: list[Message], *, seq: int) -> None:
        """Remember the newest turns of `messages`, true for the journal as of `seq`."""
        self.take(conversation_id, at_seq=seq)
        newest = newest_turns(messages, self.most_turns)
        size = sum(map(_size, newest))
        self._kept[conversation_id] = (seq, size, newest)
        self._characters += size
        while (
            len(self._kept) > self._most_conversations or self._characters > self._most_characters
        ):
            _, (_, dropped, _) = self._kept.popitem(last=False)
            self._characters -= dropped


def newest_turns(messages: list[Message], most: int) -> list[Message]:
    """Return the last `most` turns; a turn begins at a user message."""
    starts = [index for index, message in enumerate(messages) if message.role == "user"]
    return messages[starts[-most] :] if len(starts) > most else messages


def _size(message: Message) -> int:
    # What else a message holds is small beside tool results, or comes with them.
    return len(message.content) + 200
