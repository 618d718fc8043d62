"""Screens: one condition over 5,000 symbols in Postgres, all at once and one by one.

The whole of the call, in this process on a real database: reading, adjusting, computing every
field, judging and telling. Prices are made up: random walks. The two ways are held to each other.
"""

import math
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import tools.screen
from app.storage.bars import PostgresBars
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from app.storage.migrate import upgrade
from tests.benchmarks.results import Figures, median, significant
from tools.analytics import streaming
from tools.history import Market
from tools.market.bars import Bars
from tools.market.instruments import Instrument
from tools.screen import BARS, Screen
from tools.tool import ToolContext

SYMBOLS = 5_000
WHERE = {
    "all": [
        {"field": "rsi", "op": "<", "value": 40},
        {"field": "close", "op": ">", "value": {"field": "sma200"}},
    ]
}
_BY_NUMBERS: dict[str, Any] = {"where": WHERE, "limit": 10}


async def screen(*, symbols: int = SYMBOLS, rounds: int = 3) -> Figures:
    """A screen by numbers over 5,000 symbols, from the call to the answer."""
    taken: dict[str, list[float]] = {"together": [], "one_by_one": [], "read": []}
    answers: dict[str, list[dict[str, Any]]] = {"together": [], "one_by_one": []}
    with tempfile.TemporaryDirectory(prefix="outcry-bench-") as folder:
        os.chmod(folder, 0o711)
        async with (
            EmbeddedPostgres(Path(folder) / "data") as postgres,
            Database(postgres.connect_kwargs) as database,
        ):
            await upgrade(database)
            instruments, bars = PostgresInstruments(database), PostgresBars(database)
            for series in _series(symbols):
                await instruments.put(
                    Instrument(symbol=series.symbol, name=series.symbol, source="benchmark")
                )
                await bars.replace(series)
            await database.execute("ANALYZE bars")
            compiled = streaming.STEPS.prepare()
            tool = Screen(Market(instruments, bars))
            context = ToolContext(principal_id="x", now=datetime(2026, 11, 26, tzinfo=UTC))
            for _ in range(rounds):
                began = time.monotonic()
                every = [one.symbol for one in await instruments.all()]
                for start in range(0, len(every), 200):
                    await bars.read_many(every[start : start + 200], limit=BARS)
                taken["read"].append(time.monotonic() - began)
                for name, many in (("together", tools.screen.MANY), ("one_by_one", math.inf)):
                    with patch.object(tools.screen, "MANY", many):
                        began = time.monotonic()
                        result = await tool(_BY_NUMBERS, context)
                        taken[name].append(time.monotonic() - began)
                    answers[name].append(result.data)
    _expect_same(answers, symbols)
    return {
        "symbols": symbols,
        "bars": BARS,
        "compiled": compiled,
        "matched": answers["together"][0]["matched"],
        **{f"{name}_s": median(seconds) for name, seconds in taken.items()},
        "times_one_by_one": significant(
            float(np.median(taken["one_by_one"]) / np.median(taken["together"]))
        ),
        "rounds": {name: [significant(one) for one in seconds] for name, seconds in taken.items()},
    }


def _series(symbols: int) -> list[Bars]:
    rng = np.random.default_rng(7)
    days = np.busday_offset("2024-01-01", np.arange(BARS), roll="forward").astype("datetime64[s]")
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.02, (symbols, BARS)), axis=1))
    volume = rng.uniform(1e5, 1e6, (symbols, BARS)).round()
    found = []
    for row in range(symbols):
        opened = np.concatenate([close[row, :1], close[row, :-1]])
        high, low = np.maximum(opened, close[row]) * 1.01, np.minimum(opened, close[row]) * 0.99
        found.append(
            Bars(f"S{row:04}", "1d", "made up", days, opened, high, low, close[row], volume[row])
        )
    return found


def _expect_same(answers: dict[str, list[dict[str, Any]]], symbols: int) -> None:
    for one, other in zip(answers["together"], answers["one_by_one"], strict=True):
        names = [[row["symbol"] for row in found["rows"]] for found in (one, other)]
        if names[0] != names[1] or (one["matched"], one["judged"]) != (other["matched"], symbols):
            raise AssertionError("the two ways of a screen say different things")
