"""People, agents, conversations, runs and costs, as Alembic compares them with the database.

Queries are SQL text in the sibling modules, run by asyncpg; see
`docs/decisions/0005-asyncpg-for-queries.md`. Every money column refuses NaN, which Postgres would
otherwise sort above every number.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, TSVECTOR

from app.storage.columns import json, metadata, money, not_nan, one_of, time, uuid

# --- who asks ---------------------------------------------------------------------------------

users = sa.Table(
    "users",
    metadata,
    uuid("id", primary_key=True),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text),
    sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    time("created_at", default_now=True),
    one_of("role", "user", "admin"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    uuid("id", primary_key=True),
    uuid("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    sa.Column("token_hash", BYTEA, nullable=False, unique=True),
    sa.Column("user_agent", sa.Text),
    time("created_at", default_now=True),
    time("expires_at"),
    time("revoked_at", nullable=True),
)

sign_in_links = sa.Table(
    "sign_in_links",
    metadata,
    sa.Column("token_hash", BYTEA, primary_key=True),
    uuid("user_id", sa.ForeignKey("users.id", ondelete="CASCADE")),
    time("expires_at"),
    time("used_at", nullable=True),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    uuid("id", primary_key=True),
    uuid("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("prefix", sa.Text, nullable=False),
    sa.Column("key_hash", BYTEA, nullable=False, unique=True),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    time("created_at", default_now=True),
    time("expires_at", nullable=True),
    time("revoked_at", nullable=True),
    time("last_used_at", nullable=True),
)

secrets = sa.Table(
    "secrets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("sealed", BYTEA, nullable=False),
    time("updated_at", default_now=True),
)

# --- agents -----------------------------------------------------------------------------------

agents = sa.Table(
    "agents",
    metadata,
    uuid("id", primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.Column("status", sa.Text, nullable=False, server_default="active"),
    json("config", default=None),
    time("created_at", default_now=True),
    time("updated_at", default_now=True),
    one_of("type", "analyst", "trader", "risk_manager", "educator", "support", "content_creator"),
    one_of("status", "active", "idle", "processing", "error", "disabled"),
)
"""`config` holds the rest of the seed's AIAgent: capabilities, llmProvider, llmModel, systemPrompt,
temperature, maxTokens, tools (AgentTool) and memory (AgentMemory)."""

agent_versions = sa.Table(
    "agent_versions",
    metadata,
    uuid("agent_id", sa.ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    json("config", default=None),
    uuid("created_by", sa.ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    time("created_at", default_now=True),
)

# --- conversations ----------------------------------------------------------------------------

conversations = sa.Table(
    "conversations",
    metadata,
    uuid("id", primary_key=True),
    uuid("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    uuid("agent_id", sa.ForeignKey("agents.id"), index=True),
    sa.Column("agent_version", sa.Integer, nullable=False),
    sa.Column("session_id", sa.Text, nullable=False, server_default=""),
    sa.Column("title", sa.Text, nullable=False, server_default=""),
    sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
    json("context"),
    sa.Column("status", sa.Text, nullable=False, server_default="active", index=True),
    time("started_at", default_now=True),
    time("ended_at", nullable=True),
    time("updated_at", default_now=True),
    sa.Column("last_seq", sa.BigInteger, nullable=False, server_default="0"),
    json("metadata", nullable=True, default=None),
    one_of("status", "active", "paused", "completed", "abandoned"),
    sa.Index("ix_conversations_started_at", "started_at"),
    sa.Index("ix_conversations_user_id_updated_at_id", "user_id", "updated_at", "id"),
)
"""`last_seq` is the journal's newest sequence number as of the last run that ended, so that a new
run finds its place without reading the journal."""

read_positions = sa.Table(
    "read_positions",
    metadata,
    uuid("user_id", sa.ForeignKey("users.id", ondelete="CASCADE")),
    uuid(
        "conversation_id",
        sa.ForeignKey("conversations.id", ondelete="CASCADE"),
        index=True,
    ),
    sa.Column("seq", sa.BigInteger, nullable=False),
    time("read_at", default_now=True),
    sa.PrimaryKeyConstraint("user_id", "conversation_id"),
    sa.CheckConstraint("seq >= 0", name="seq_is_a_place"),
)
"""Up to which sequence number somebody has read; where there is none, what they began themselves is
read and what an alert opened is not."""

messages = sa.Table(
    "messages",
    metadata,
    uuid("id", primary_key=True),
    uuid("conversation_id", sa.ForeignKey("conversations.id", ondelete="CASCADE")),
    uuid("run_id", nullable=True),
    uuid("parent_id", nullable=True),
    sa.Column("role", sa.Text, nullable=False, index=True),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("tokens", sa.Integer, nullable=False, server_default="0"),
    money("cost"),
    sa.Column("stopped", sa.Text),
    time("timestamp"),
    time("superseded_at", nullable=True),
    sa.Column(
        "search",
        TSVECTOR,
        sa.Computed("to_tsvector('simple', left(content, 100000))", persisted=True),
    ),
    one_of("role", "user", "assistant", "system"),
    sa.CheckConstraint("stopped IN ('cancelled', 'failed')", name="stopped"),
    not_nan("cost"),
    sa.Index("ix_messages_conversation_id", "conversation_id", "timestamp", "id"),
    sa.Index("ix_messages_timestamp", "timestamp"),
    sa.Index("ix_messages_search", "search", postgresql_using="gin"),
)
"""`stopped` says why an assistant message is only part of an answer. `superseded_at` hides what a
regenerated or edited turn replaced; it stays readable with `?superseded=true`."""

attachments = sa.Table(
    "attachments",
    metadata,
    uuid("id", primary_key=True),
    uuid("message_id", sa.ForeignKey("messages.id", ondelete="CASCADE"), index=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("mime_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    json("content", nullable=True, default=None),
    one_of("type", "image", "file", "chart"),
)
"""Charts an answer drew keep their card in `content`; `url` is its REST path."""

tool_calls = sa.Table(
    "tool_calls",
    metadata,
    uuid("id", primary_key=True),
    uuid("message_id", sa.ForeignKey("messages.id", ondelete="CASCADE"), index=True),
    uuid("run_id"),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("call_id", sa.Text, nullable=False),
    sa.Column("tool_name", sa.Text, nullable=False),
    json("input", default=None),
    json("output", default=None),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    one_of("status", "success", "failure"),
)
"""`call_id` is what events and claims name; `output` is `ToolResult.evidence()` or `{"error"}`."""

claims = sa.Table(
    "claims",
    metadata,
    uuid("message_id", sa.ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("start", sa.Integer, nullable=False),
    sa.Column("end", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    json("value", nullable=True, default=None),
    sa.Column("call_id", sa.Text),
    sa.Column("tool", sa.Text),
    sa.Column("path", sa.Text),
    sa.Column("label", sa.Text),
    sa.Column("unit", sa.Text),
    time("as_of", nullable=True),
    sa.Column("source", sa.Text),
    one_of("status", "supported", "parameter", "unverified"),
)

# --- runs -------------------------------------------------------------------------------------

runs = sa.Table(
    "runs",
    metadata,
    uuid("id", primary_key=True),
    uuid("conversation_id", sa.ForeignKey("conversations.id", ondelete="CASCADE")),
    uuid("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
    uuid("agent_id", sa.ForeignKey("agents.id"), index=True),
    sa.Column("agent_version", sa.Integer, nullable=False),
    sa.Column("command_id", sa.Text, nullable=False),
    sa.Column("command_hash", BYTEA, nullable=False),
    uuid("user_message_id", nullable=True),
    sa.Column("mode", sa.Text, nullable=False, server_default="answer"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("error_code", sa.Text),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("input_tokens", sa.Integer, nullable=False, server_default="0"),
    sa.Column("output_tokens", sa.Integer, nullable=False, server_default="0"),
    json("receipt", nullable=True, default=None),
    time("started_at"),
    time("ended_at", nullable=True),
    one_of("status", "running", "finished", "cancelled", "failed"),
    one_of("mode", "answer", "regenerate", "edit", "alert"),
    sa.UniqueConstraint("user_id", "command_id"),
    sa.Index("ix_runs_conversation_id_started_at", "conversation_id", "started_at"),
    sa.Index(
        "uq_runs_one_running_per_conversation",
        "conversation_id",
        unique=True,
        postgresql_where=sa.text("status = 'running'"),
    ),
)
"""`owner` names the process that executes the run, so that a restart can tell its own orphans."""

run_events = sa.Table(
    "run_events",
    metadata,
    uuid("conversation_id"),
    sa.Column("seq", sa.BigInteger, nullable=False),
    uuid("run_id"),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text),
    sa.Column("payload", sa.Text, nullable=False),
    time("created_at", default_now=True),
    sa.PrimaryKeyConstraint("conversation_id", "seq"),
    sa.CheckConstraint("seq > 0", name="seq_is_positive"),
)
"""The journal. It has no foreign key, because one would lock and check the conversation for every
token; the trigger `delete_events` takes the events away with their conversation."""

cost_entries = sa.Table(
    "cost_entries",
    metadata,
    uuid("id", primary_key=True),
    uuid("run_id", sa.ForeignKey("runs.id", ondelete="SET NULL"), nullable=True, index=True),
    uuid("conversation_id", index=True),
    uuid("user_id", index=True),
    uuid("agent_id", index=True),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("input_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("output_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("cache_read_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("cache_write_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("reasoning_tokens", sa.BigInteger, nullable=False, server_default="0"),
    money("reserved_usd"),
    money("amount_usd"),
    sa.Column("estimated", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("latency_ms", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error_code", sa.Text),
    time("created_at", default_now=True),
    time("settled_at", nullable=True),
    one_of("status", "reserved", "settled"),
    one_of("outcome", "pending", "succeeded", "failed", "cancelled", "interrupted"),
    not_nan("reserved_usd"),
    not_nan("amount_usd"),
    sa.CheckConstraint("amount_usd >= 0", name="amount_usd_not_negative"),
)
"""What was spent stays spent: an entry outlives its run, conversation and user, whose ids it keeps
(but for `run_id`, which becomes null)."""
