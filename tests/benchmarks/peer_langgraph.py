"""LangGraph with its Postgres checkpointer as a chat of 500 turns: the peer of G5.

Runs in an environment of its own with langgraph, langgraph-checkpoint-postgres and psycopg, so it
imports nothing of this repository. Prints one line of JSON.
"""

# Its packages are installed nowhere but in its own environment:
# mypy: ignore-errors

import argparse
import importlib.metadata
import json
import random
import string
import time
from typing import Any

import psycopg
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph import END, START, MessagesState, StateGraph

_rng = random.Random(5)


def text(size: int) -> str:
    return "".join(_rng.choices(string.ascii_letters + " ", k=size))


def answer(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage(text(800))]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--turns", type=int, default=500)
    parser.add_argument("--durability", default="default", choices=["default", "exit"])
    arguments = parser.parse_args()
    graph = StateGraph(MessagesState)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    options = {} if arguments.durability == "default" else {"durability": "exit"}
    took_ms, wal = [], []
    with (
        PostgresSaver.from_conn_string(arguments.dsn) as saver,
        psycopg.connect(arguments.dsn, autocommit=True) as meter,
    ):

        def written() -> int:
            row = meter.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
            assert row is not None
            return int(row[0])

        saver.setup()
        chat = graph.compile(checkpointer=saver)
        config = {"configurable": {"thread_id": f"{arguments.durability}-{time.time_ns()}"}}
        for _ in range(arguments.turns):
            question = HumanMessage(text(200))
            before, started = written(), time.monotonic()
            chat.invoke({"messages": [question]}, config, **options)
            took_ms.append((time.monotonic() - started) * 1000)
            wal.append(written() - before)
        row = meter.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
            "WHERE relkind = 'r' AND relname LIKE 'checkpoint%'"
        ).fetchone()
        table_bytes = int(row[0]) if row else 0
        meter.execute("TRUNCATE checkpoints, checkpoint_blobs, checkpoint_writes")
    version = importlib.metadata.version("langgraph-checkpoint-postgres")
    result = {"ms": took_ms, "wal": wal, "table_bytes": table_bytes, "version": version}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
