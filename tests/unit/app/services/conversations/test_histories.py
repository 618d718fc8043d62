"""Windows of earlier turns: valid for one state of the journal, bounded in number and size."""

from agents.messages import Message
from app.domain.ids import ConversationId, new_id
from app.services.conversations.histories import Histories


def said(word: str, *, turns: int = 1) -> list[Message]:
    return [Message(role="user", content=word), Message(role="assistant", content=word)] * turns


def test_a_window_is_given_out_once_and_only_for_the_journal_it_was_kept_at() -> None:
    histories = Histories()
    one, other = ConversationId(new_id()), ConversationId(new_id())
    histories.keep(one, said("a"), seq=7)
    histories.keep(other, said("b"), seq=7)
    assert histories.take(one, at_seq=8) is None
    assert histories.take(one, at_seq=7) is None
    assert histories.take(other, at_seq=7) == said("b")
    assert histories.take(other, at_seq=7) is None


def test_only_the_newest_turns_are_kept_whole() -> None:
    histories = Histories(most_turns=2)
    conversation_id = ConversationId(new_id())
    histories.keep(conversation_id, [*said("old"), *said("new", turns=2)], seq=1)
    assert histories.take(conversation_id, at_seq=1) == said("new", turns=2)


def test_large_windows_push_out_the_least_recently_kept() -> None:
    histories = Histories(most_characters=3_000)
    conversations = [ConversationId(new_id()) for _ in range(4)]
    for conversation_id in conversations:
        histories.keep(conversation_id, said("x" * 500), seq=1)
    kept = [histories.take(one, at_seq=1) is not None for one in conversations]
    assert kept == [False, False, True, True]
    assert histories._characters == 0


def test_many_windows_push_out_the_least_recently_kept() -> None:
    histories = Histories(most_conversations=2)
    conversations = [ConversationId(new_id()) for _ in range(3)]
    for conversation_id in conversations:
        histories.keep(conversation_id, said("x"), seq=1)
    histories.keep(conversations[1], said("y"), seq=2)
    assert histories.take(conversations[0], at_seq=1) is None
    assert histories.take(conversations[1], at_seq=2) == said("y")
    assert histories.take(conversations[2], at_seq=1) == said("x")
