"""What a person can see and change of their conversations, apart from talking in them."""

from collections.abc import AsyncIterator
from typing import Protocol
from uuid import UUID

import msgspec

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import UserId
from app.domain.principal import Principal
from app.domain.text import clean_text
from app.domain.views import (
    AttachmentView,
    CitedClaim,
    ConversationChange,
    ConversationFilter,
    ConversationView,
    FoundText,
    MessageView,
    Position,
    SearchHit,
    TextMatch,
)
from app.services.conversations.snippets import highlight, like_pattern, needles, prefix_query
from app.services.paging import Page, checked_limit, cut, decode_cursor, encode_cursor

MAX_TITLE = 200
MAX_QUERY = 200
_EXPORT_STEP = 100


class ConversationStore(Protocol):
    """Reads and edits conversations. Every method is bound to their owner."""

    async def page(
        self,
        user_id: UserId,
        which: ConversationFilter,
        *,
        before: Position | None,
        limit: int,
    ) -> list[ConversationView]:
        """Return conversations, the latest changed first."""
        ...

    async def find(self, conversation_id: UUID, user_id: UserId) -> ConversationView | None: ...

    async def change(
        self, conversation_id: UUID, user_id: UserId, change: ConversationChange
    ) -> bool:
        """Apply a change; False when there is no such conversation."""
        ...

    async def read_to(self, conversation_id: UUID, user_id: UserId, seq: int) -> int | None:
        """Note that its owner has read up to `seq`, never back; return up to where."""
        ...

    async def delete(self, conversation_id: UUID, user_id: UserId) -> bool | None:
        """Delete it and all that hangs on it; False: no such one, None: a run is in progress."""
        ...

    async def messages(
        self,
        conversation_id: UUID,
        user_id: UserId,
        *,
        superseded: bool,
        before: Position | None,
        limit: int,
    ) -> list[MessageView]:
        """Return messages, newest first."""
        ...

    async def messages_after(
        self, conversation_id: UUID, user_id: UserId, *, after: Position | None, limit: int
    ) -> list[MessageView]:
        """Return messages that nothing replaced, oldest first."""
        ...

    async def claims(self, message_id: UUID, user_id: UserId) -> list[CitedClaim] | None:
        """Return a message's claims; None when there is no such message."""
        ...

    async def attachment(
        self, message_id: UUID, attachment_id: UUID, user_id: UserId
    ) -> AttachmentView | None: ...

    async def search(
        self, user_id: UserId, match: TextMatch, *, before: Position | None, limit: int
    ) -> list[FoundText]:
        """Return messages and titles that match, newest first."""
        ...


class Conversations:
    """The use cases."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store

    async def page(
        self,
        principal: Principal,
        which: ConversationFilter,
        *,
        query: str | None = None,
        cursor: str | None,
        limit: int,
    ) -> Page[ConversationView]:
        """Return the caller's conversations, the latest changed first.

        Raises:
            Invalid: the cursor, the limit or the query cannot be used.
        """
        before, limit = decode_cursor(cursor), checked_limit(limit)
        if query is None:
            found = await self._store.page(principal.user_id, which, before=before, limit=limit + 1)
            return cut(found, limit, lambda item: (item.updated_at, item.id))
        for match in _matches(query):
            found = await self._store.page(
                principal.user_id,
                msgspec.structs.replace(which, match=match),
                before=before,
                limit=limit + 1,
            )
            if found:
                return cut(found, limit, lambda item: (item.updated_at, item.id))
        return Page([])

    async def get(self, principal: Principal, conversation_id: UUID) -> ConversationView:
        """Return one conversation.

        Raises:
            NotFound: it is unknown or somebody else's.
        """
        found = await self._store.find(conversation_id, principal.user_id)
        if found is None:
            raise NotFound(NO_CONVERSATION)
        return found

    async def change(
        self, principal: Principal, conversation_id: UUID, change: ConversationChange
    ) -> ConversationView:
        """Rename, pin or close a conversation and return it.

        Raises:
            NotFound: it is unknown or somebody else's.
            Invalid: the title is empty or too long.
        """
        if change.title is not None:
            title = " ".join(clean_text(change.title).split())
            if not 1 <= len(title) <= MAX_TITLE:
                raise Invalid(
                    f"`title` must have 1 to {MAX_TITLE} characters; it has {len(title)}."
                )
            change = msgspec.structs.replace(change, title=title)
        if not await self._store.change(conversation_id, principal.user_id, change):
            raise NotFound(NO_CONVERSATION)
        return await self.get(principal, conversation_id)

    async def read_to(self, principal: Principal, conversation_id: UUID, seq: int) -> int:
        """Note that the caller has read a conversation up to `seq`; it never goes back.

        Raises:
            NotFound: it is unknown or somebody else's.
            Invalid: `seq` is no sequence number.
        """
        if not 0 <= seq < 2**53:
            raise Invalid("`seq` must be 0 or more.")
        read = await self._store.read_to(conversation_id, principal.user_id, seq)
        if read is None:
            raise NotFound(NO_CONVERSATION)
        return read

    async def delete(self, principal: Principal, conversation_id: UUID) -> None:
        """Delete a conversation with its messages and journal.

        Raises:
            NotFound: it is unknown or somebody else's.
            Conflict: `run_active`: an answer is being written.
        """
        deleted = await self._store.delete(conversation_id, principal.user_id)
        if deleted is None:
            raise Conflict("An answer is being written here; stop it first.", code="run_active")
        if not deleted:
            raise NotFound(NO_CONVERSATION)

    async def messages(
        self,
        principal: Principal,
        conversation_id: UUID,
        *,
        superseded: bool,
        cursor: str | None,
        limit: int,
    ) -> Page[MessageView]:
        """Return the messages of a conversation, newest first.

        Raises:
            NotFound: the conversation is unknown or somebody else's.
        """
        before, limit = decode_cursor(cursor), checked_limit(limit)
        found = await self._store.messages(
            conversation_id,
            principal.user_id,
            superseded=superseded,
            before=before,
            limit=limit + 1,
        )
        if not found:
            await self.get(principal, conversation_id)
        return cut(found, limit, lambda item: (item.timestamp, item.id))

    async def transcript(
        self, principal: Principal, conversation_id: UUID
    ) -> AsyncIterator[MessageView]:
        """Yield every message that nothing replaced, oldest first, a page at a time."""
        after: Position | None = None
        while found := await self._store.messages_after(
            conversation_id, principal.user_id, after=after, limit=_EXPORT_STEP
        ):
            for message in found:
                yield message
            after = (found[-1].timestamp, found[-1].id)

    async def claims(self, principal: Principal, message_id: UUID) -> list[CitedClaim]:
        """Return the claims of a message with the tool calls they point to.

        Raises:
            NotFound: the message is unknown or in somebody else's conversation.
        """
        found = await self._store.claims(message_id, principal.user_id)
        if found is None:
            raise NotFound("There is no such message.")
        return found

    async def attachment(
        self, principal: Principal, message_id: UUID, attachment_id: UUID
    ) -> AttachmentView:
        """Return one attachment of a message, a chart with its card.

        Raises:
            NotFound: either is unknown or somebody else's.
        """
        found = await self._store.attachment(message_id, attachment_id, principal.user_id)
        if found is None:
            raise NotFound("There is no such attachment.")
        return found

    async def search(
        self, principal: Principal, query: str, *, cursor: str | None, limit: int
    ) -> Page[SearchHit]:
        """Return the caller's messages and titles that hold all words of `query`, newest first.

        Words match from their beginning; when nothing does, the query's exact characters are
        looked for anywhere.

        Raises:
            Invalid: the query is empty or too long.
        """
        before, limit = decode_cursor(cursor), checked_limit(limit)
        for match in _matches(query):
            found = await self._store.search(
                principal.user_id, match, before=before, limit=limit + 1
            )
            if found:
                words = needles(query) if match.words else [query.strip()]
                hits = [_hit(item, words) for item in found[:limit]]
                last = found[limit - 1] if len(found) > limit else None
                return Page(hits, encode_cursor(_found_position(last)) if last else None)
        return Page([])


NO_CONVERSATION = "There is no such conversation."


def _matches(query: str) -> list[TextMatch]:
    """Return what to try, in order."""
    query = clean_text(query).strip()
    if not 1 <= len(query) <= MAX_QUERY:
        raise Invalid(f"`query` must have 1 to {MAX_QUERY} characters; it has {len(query)}.")
    words, pattern = prefix_query(query), like_pattern(query)
    literal = TextMatch(None, pattern)
    return [TextMatch(words, pattern), literal] if words else [literal]


def _found_position(found: FoundText) -> Position:
    return found.timestamp, found.message_id or found.conversation_id


def _hit(found: FoundText, words: list[str]) -> SearchHit:
    return SearchHit(
        conversation_id=found.conversation_id,
        message_id=found.message_id,
        title=found.title,
        snippet=highlight(found.text, words),
        timestamp=found.timestamp,
    )
