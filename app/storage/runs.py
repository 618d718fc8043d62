"""Runs and the messages that start them.

`start` is two round trips: a look at what is there, then one statement that writes everything or
nothing. What the look cannot promise (no twin command, no running run, no sudden owner) the
constraints do, and a lost race looks again.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from agents.history import PastCall, opened_by, turn
from agents.messages import Message
from app.domain.agents import Agent, AgentConfig
from app.domain.errors import Conflict, Invalid, NotFound, Unavailable
from app.domain.ids import AgentId, ConversationId, MessageId, RunId, UserId, new_id
from app.domain.principal import Principal
from app.domain.runs import Run, StartedRun, StartRun
from app.domain.text import clean_text, title_of
from app.storage.engine import Database, Record

_RUN = """r.id, r.conversation_id, r.user_id, r.agent_id, r.agent_version, r.status,
       r.user_message_id, r.started_at, r.ended_at, r.error_code"""

# One row, always: what a start needs to know, each part NULL where there is none.
_LOOK = f"""
SELECT c.user_id AS owner, c.last_seq,
       (SELECT to_jsonb(t) FROM (SELECT {_RUN}, encode(r.command_hash, 'hex') AS command_hash
                                   FROM runs r
                                  WHERE r.user_id = $2 AND r.command_id = $3) AS t) AS twin,
       EXISTS (SELECT 1 FROM runs r
                WHERE r.conversation_id = c.id AND r.status = 'running') AS busy,
       a.id AS agent_id, a.name, a.type, a.status, a.created_at, a.updated_at,
       coalesce(c.agent_version, a.version) AS version,
       coalesce(v.config, a.config) AS config
  FROM (SELECT $1::uuid AS id) AS asked
  LEFT JOIN conversations c ON c.id = asked.id
  LEFT JOIN LATERAL (
       SELECT * FROM agents
        WHERE CASE WHEN c.id IS NOT NULL THEN agents.id = c.agent_id
                   WHEN $4::text IS NULL THEN agents.status = 'active'
                   ELSE lower(agents.name) = lower($4) OR agents.id::text = lower($4) END
        ORDER BY agents.created_at, agents.id LIMIT 1) AS a ON true
  LEFT JOIN agent_versions v
         ON v.agent_id = a.id AND v.version = coalesce(c.agent_version, a.version)
"""
# The conversation's row is locked first, so `last_seq` is what the run before left behind. A
# question comes after all that is there, even where the clock was set back since.
_WRITE = """
WITH created AS (
       INSERT INTO conversations (id, user_id, agent_id, agent_version, session_id, title,
              started_at, updated_at)
       SELECT $1::uuid, $2::uuid, $3::uuid, $4::int, $5::text, $6::text, $7::timestamptz,
              $7::timestamptz
        WHERE $8::bool
       RETURNING last_seq, updated_at),
     touched AS (
       UPDATE conversations
          SET updated_at = greatest($7, updated_at + interval '1 microsecond')
        WHERE id = $1 AND user_id = $2 AND NOT $8
       RETURNING last_seq, updated_at),
     conversation AS (
       SELECT last_seq, updated_at AS now FROM created UNION ALL SELECT * FROM touched),
     run AS (
       INSERT INTO runs (id, conversation_id, user_id, agent_id, agent_version, command_id,
              command_hash, user_message_id, mode, status, owner, started_at)
       SELECT $9::uuid, $1, $2, $3, $4, $10::text, $11::bytea, $12::uuid, $13::text, 'running',
              $14::text, now
         FROM conversation
       RETURNING id),
     superseded AS (
       UPDATE messages SET superseded_at = $7
        WHERE conversation_id = $1 AND superseded_at IS NULL AND $15::timestamptz IS NOT NULL
          AND ((timestamp, id) > ($15, $16::uuid) OR (id = $16 AND $17::bool))),
     asked AS (
       INSERT INTO messages (id, conversation_id, run_id, role, content, timestamp)
       SELECT $12, $1, $9, 'user', $18, now FROM conversation WHERE $18::text IS NOT NULL),
     attached AS (
       INSERT INTO attachments (id, message_id, type, url, mime_type, size)
       SELECT x.*
         FROM conversation, unnest($19::uuid[], $20::uuid[], $21::text[], $22::text[],
              $23::text[], $24::bigint[]) AS x)
SELECT greatest(last_seq, (SELECT coalesce(max(seq), 0) FROM run_events
                            WHERE conversation_id = $1)), now
  FROM conversation, run
"""
_QUESTION = """
SELECT q.id, q.content, q.timestamp
  FROM messages m
  JOIN messages q ON q.conversation_id = m.conversation_id AND q.role = 'user'
       AND (q.timestamp, q.id) <= (m.timestamp, m.id)
 WHERE m.id = $2 AND m.conversation_id = $1 AND q.superseded_at IS NULL
 ORDER BY q.timestamp DESC, q.id DESC LIMIT 1
"""
_BY_MESSAGE = f"""
SELECT {_RUN}, m.content FROM runs r JOIN messages m ON m.id = r.user_message_id
 WHERE r.user_message_id = $1 AND r.user_id = $2 AND r.conversation_id = $3
 ORDER BY r.started_at LIMIT 1
"""
_CONTENT = "SELECT content FROM messages WHERE id = $1"
_HISTORY = """
WITH bound AS (
       SELECT q.timestamp, q.id FROM runs r JOIN messages q ON q.id = r.user_message_id
        WHERE r.id = $2 AND r.conversation_id = $1),
     questions AS (
       SELECT m.timestamp, m.id FROM messages m, bound
        WHERE m.conversation_id = $1 AND m.role = 'user' AND m.superseded_at IS NULL
          AND (m.timestamp, m.id) < (bound.timestamp, bound.id)
        ORDER BY m.timestamp DESC, m.id DESC LIMIT $3),
     -- Where the turns begin. Of a conversation that is read whole, at its very beginning: what an
     -- alert opened it with answers no question. One bound, so that the index finds it.
     starts AS (
       SELECT timestamp, id FROM questions
       UNION ALL
       SELECT '-infinity', '00000000-0000-0000-0000-000000000000'
        WHERE (SELECT count(*) FROM questions) < $3),
     first AS (SELECT timestamp, id FROM starts ORDER BY timestamp, id LIMIT 1)
SELECT m.role, m.content,
       (SELECT jsonb_agg(jsonb_build_array(t.call_id, t.tool_name, t.input, t.output, t.status)
                         ORDER BY t.position)
          FROM tool_calls t WHERE t.message_id = m.id) AS calls
  FROM messages m, bound
 WHERE m.conversation_id = $1 AND m.superseded_at IS NULL AND m.role <> 'system'
   AND (m.timestamp, m.id) < (bound.timestamp, bound.id)
   AND (m.timestamp, m.id) >= (SELECT f.timestamp, f.id FROM first f)
 ORDER BY m.timestamp, m.id
"""
_RUNNING = f"SELECT {_RUN} FROM runs r WHERE r.status = 'running' AND r.owner <> $1"
_FIND = f"SELECT {_RUN} FROM runs r WHERE r.id = $1 AND r.user_id = $2"

_RACES = 4
"""A start that loses so many races in a row is not racing but wrong."""
_NO_ATTACHMENTS: tuple[list[Any], ...] = ([], [], [], [], [], [])


class StoredRuns:
    """Implements `RunStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(
        self,
        command: StartRun,
        principal: Principal,
        *,
        command_hash: bytes,
        owner: str,
        now: datetime,
    ) -> StartedRun:
        """Store the user's message and the run in one transaction; see `RunStore.start`."""
        self._database.ensure_room()
        perhaps_stored: Unavailable | None = None
        for _ in range(_RACES):
            found = await self._look(command, principal)
            if found["twin"] is not None:
                began_at = None if perhaps_stored is None else now
                return await self._twin(found, command_hash, began_at=began_at)
            new_conversation = found["owner"] is None
            if not new_conversation and found["owner"] != principal.user_id:
                raise NotFound("There is no such conversation.")
            agent = _agent(found, command)
            if found["busy"]:
                raise Conflict("This conversation is being answered.", code="run_active")
            if new_conversation and command.mode in ("regenerate", "edit"):
                raise NotFound("There is no such conversation.")
            question = await self._question(command)
            try:
                return await self._write(
                    command, principal, agent, question, new_conversation, command_hash, owner, now
                )
            except Unavailable as error:
                # Looking again tells.
                perhaps_stored = error
            except asyncpg.UniqueViolationError as error:
                # Whoever won may be a twin, or done by now: looking again tells, except where an
                # id was given twice.
                match error.constraint_name:
                    case "pk_messages":
                        return await self._same_message(command, principal, found)
                    case "pk_runs":
                        if (await self._look(command, principal))["twin"] is None:
                            raise Conflict("This run id is taken.", code="id_taken") from error
            except asyncpg.ForeignKeyViolationError as error:
                raise NotFound("There is no such conversation.") from error
        if perhaps_stored is not None:
            raise perhaps_stored
        raise Conflict("This conversation is being answered.", code="run_active")

    async def _look(self, command: StartRun, principal: Principal) -> Record:
        row = await self._database.fetchrow(
            _LOOK,
            command.conversation_id,
            principal.user_id,
            clean_text(command.command_id),
            None if command.agent is None else clean_text(command.agent),
        )
        if row is None:
            raise RuntimeError("the look always finds one row")
        return row

    async def _question(self, command: StartRun) -> "_Question | None":
        """Return the stored message that is answered again or replaced, None for a new one."""
        if command.mode in ("answer", "alert"):
            return None
        row = await self._database.fetchrow(
            _QUESTION, command.conversation_id, command.from_message_id
        )
        if row is None:
            raise NotFound("There is no such message.")
        return _Question(*row.values())

    async def _write(
        self,
        command: StartRun,
        principal: Principal,
        agent: Agent,
        question: "_Question | None",
        new_conversation: bool,
        command_hash: bytes,
        owner: str,
        now: datetime,
    ) -> StartedRun:
        message_id: MessageId | None
        asked: str | None
        if command.mode == "regenerate" and question is not None:
            message_id, text, asked = question.id, question.content, None
        elif command.mode == "alert":
            # Nobody asked: the conversation begins with the answer.
            message_id, text, asked = None, clean_text(command.content), None
        else:
            message_id = command.message_id or MessageId(new_id())
            text = asked = clean_text(command.content)
        rows = await self._database.write(
            _WRITE,
            command.conversation_id,
            principal.user_id,
            agent.id,
            agent.version,
            clean_text(command.session_id),
            title_of(text),
            now,
            new_conversation,
            command.run_id,
            clean_text(command.command_id),
            command_hash,
            message_id,
            command.mode,
            owner,
            None if question is None else question.timestamp,
            None if question is None else question.id,
            command.mode == "edit",
            asked,
            *_attachment_columns(command, message_id),
        )
        if not rows:
            raise NotFound("There is no such conversation.")
        last_seq, started_at = rows[0]
        run = Run(
            id=command.run_id,
            conversation_id=command.conversation_id,
            user_id=principal.user_id,
            agent_id=agent.id,
            agent_version=agent.version,
            status="running",
            user_message_id=message_id,
            started_at=started_at,
        )
        return StartedRun(run=run, agent=agent, created=True, last_seq=last_seq, question=text)

    async def _twin(
        self, found: Record, command_hash: bytes, *, began_at: datetime | None
    ) -> StartedRun:
        """Return the run that this command id started before.

        With `began_at` it may be this very call that did, its answer lost with the connection.
        """
        twin = dict(found["twin"])
        if bytes.fromhex(twin.pop("command_hash")) != command_hash:
            raise Conflict(
                "This command id was used before, for something else.", code="idempotency_mismatch"
            )
        run = msgspec.convert(twin, Run)
        question = await self._database.fetchval(_CONTENT, run.user_message_id)
        return StartedRun(
            run=run,
            agent=_agent(found, None),
            created=began_at is not None and run.started_at == began_at,
            last_seq=found["last_seq"] or 0,
            question=question or "",
        )

    async def _same_message(
        self, command: StartRun, principal: Principal, found: Record
    ) -> StartedRun:
        """Return the run of a message that came before under another command id."""
        row = await self._database.fetchrow(
            _BY_MESSAGE, command.message_id, principal.user_id, command.conversation_id
        )
        if row is None:
            raise Conflict("This message id is taken.", code="id_taken")
        *columns, content = row.values()
        if content != clean_text(command.content):
            raise Conflict(
                "This message id was used before, for another text.", code="idempotency_mismatch"
            )
        return StartedRun(
            run=Run(*columns),
            agent=_agent(found, None),
            created=False,
            last_seq=found["last_seq"] or 0,
            question=content,
        )

    async def history(
        self, conversation_id: ConversationId, *, before_run: RunId, max_turns: int
    ) -> list[Message]:
        """Return the newest finished turns before `before_run`; see `RunStore.history`."""
        rows = await self._database.fetch(_HISTORY, conversation_id, before_run, max_turns)
        messages: list[Message] = []
        question: str | None = None
        answer: tuple[str, list[list[Any]] | None] | None = None
        for role, content, calls in [*(tuple(row) for row in rows), ("user", "", None)]:
            if role == "assistant":
                answer = (content, calls)
                continue
            if answer is not None:
                past = [PastCall(*call) for call in answer[1] or ()]
                messages += turn(opened_by(past) if question is None else question, past, answer[0])
            question, answer = content, None
        return messages

    async def running(self, *, owner_not: str) -> list[Run]:
        """Return runs still marked running that another process owned."""
        return [Run(*row.values()) for row in await self._database.fetch(_RUNNING, owner_not)]

    async def find(self, run_id: RunId, user_id: UserId) -> Run | None:
        """Return the user's run, None if there is no such run or it is somebody else's."""
        row = await self._database.fetchrow(_FIND, run_id, user_id)
        return None if row is None else Run(*row.values())


class _Question(msgspec.Struct, frozen=True):
    id: MessageId
    content: str
    timestamp: datetime


def _agent(found: Record, command: StartRun | None) -> Agent:
    """Read the agent at its pinned version; for a new conversation it must be able to work."""
    if found["agent_id"] is None:
        name = None if command is None else command.agent
        raise NotFound(f"There is no agent {name!r}." if name else "There is no agent yet.")
    if command is not None and found["status"] in ("disabled", "error"):
        raise Conflict(f"The agent {found['name']} is {found['status']}.", code="agent_disabled")
    return Agent(
        id=AgentId(found["agent_id"]),
        name=found["name"],
        type=found["type"],
        version=found["version"],
        status=found["status"],
        config=msgspec.convert(found["config"], AgentConfig),
        created_at=found["created_at"],
        updated_at=found["updated_at"],
    )


def _attachment_columns(command: StartRun, message_id: UUID | None) -> tuple[list[Any], ...]:
    """Read what a client attached; nothing it names is ever opened by us."""
    if not command.attachments:
        return _NO_ATTACHMENTS
    rows = []
    for given in command.attachments:
        kind, url = given.get("type"), given.get("url")
        mime_type, size = given.get("mimeType"), given.get("size", 0)
        if kind not in ("image", "file") or not isinstance(url, str):
            raise Invalid("An attachment needs a type (image or file) and a url.")
        if not isinstance(mime_type, str) or not isinstance(size, int) or not 0 <= size < 2**63:
            raise Invalid("An attachment needs a mimeType and a size in bytes.")
        rows.append((new_id(), message_id, kind, clean_text(url), clean_text(mime_type), size))
    return tuple(list(column) for column in zip(*rows, strict=True))
