"""`outcry features` and `outcry dataset push`, beside a running desk and alone."""

import json
import sys
from pathlib import Path

import msgspec
import pytest

from tests.integration.terminal.command import Command

STAND_IN = Path(__file__).parents[2] / "fakes" / "dvc_command.py"
LINES = ["time,symbol,score", *(f"2024-01-{day:02d},AAA,{day}" for day in range(1, 15))]


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_views_of_the_demo_prices_are_filled_shown_and_looked_back_on(
    outcry: Command, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(
        "entity,time,label\nGOOG,2013-02-01T21:00:00Z,1\nGOOG,1999-01-01,0\nGOOG,2013-02-01,1\n"
    )
    answered = tmp_path / "answered.csv"

    filled = await outcry("features", "materialize", "market.volatility")
    listed = await outcry("features", "list", "--json")
    now = await outcry("features", "get", "market.volatility", "GOOG", "NOBODY")
    then = await outcry(
        *("features", "history", "market.volatility", "GOOG", "--at", "2013-02-01"), "--json"
    )
    rows = await outcry(
        *("features", "history", "market.volatility"),
        *("--pairs", str(pairs), "--out", str(answered)),
    )
    feast = await outcry("features", "export-feast", str(tmp_path / "feast"))

    assert filled.rc == 0, filled.err
    assert "0 late, 0 corrected" in filled.out
    cards = {one["view"]: one for one in json.loads(listed.out)}
    # The shipped prices end in 2013: what is served of them is stale, and says so.
    assert cards["market.volatility@1"]["status"] == "stale"
    assert cards["market.regime@1"]["offline"] is None
    assert "GOOG: stale" in now.out
    assert "NOBODY: missing" in now.out
    (stood,) = json.loads(then.out)
    assert stood["eventTime"].startswith("2013-01-31")
    assert len(stood["values"]) == len(cards["market.volatility@1"]["columns"])
    assert "3 rows, 2 with values" in rows.out
    lines = answered.read_text().splitlines()
    assert lines[0].startswith("entity,time,label,event_time,known_at,variance_1")
    assert [line.split(",")[2] for line in lines[1:]] == ["1", "0", "1"]
    assert lines[2].split(",")[3:6] == ["", "", ""]
    assert "market.volatility@1 as market_volatility_v1" in feast.out


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_table_becomes_a_view_and_is_pushed(outcry: Command, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text("\n".join(LINES) + "\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "dvc").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
    (tools / "dvc").chmod(0o755)
    with_dvc = msgspec.structs.replace(outcry, more={"PATH": f"{tools}:/usr/bin:/bin"})
    where = ("--repo", str(tmp_path / "repository"), "--remote", str(tmp_path / "remote"))

    added = await outcry("dataset", "add", "scores", "--file", str(file))
    declared = await outcry(
        *("features", "declare", "scores", "--dataset", "scores"), "--ttl-days", "5"
    )
    filled = await outcry("features", "materialize", "scores")
    then = await outcry("features", "history", "scores", "AAA", "--at", "2024-01-16")
    pushed = await with_dvc("dataset", "push", "scores", *where)
    pulled = await with_dvc("dataset", "pull", "scores@1", *where)

    assert added.rc == declared.rc == filled.rc == 0, (added.err, declared.err, filled.err)
    assert "of dataset scores; by symbol; known: at once; usable for 5 days" in declared.out
    assert "scores@1: 14 rows added" in filled.out
    assert "of 2024-01-14 00:00" in then.out
    assert "scores@1: 14 rows" in pushed.out, pushed.err
    assert "here already" in pulled.out, pulled.err


async def test_what_cannot_be_done_is_told_before_a_desk_is_opened(
    outcry_alone: Command, tmp_path: Path
) -> None:
    nowhere = msgspec.structs.replace(outcry_alone, more={"PATH": str(tmp_path)})

    pushed = await nowhere("dataset", "push", "scores")
    applied = await nowhere("features", "export-feast", str(tmp_path / "feast"), "--apply")
    unsaid = await outcry_alone("features", "materialize")

    assert (pushed.rc, applied.rc, unsaid.rc) == (1, 1, 2)
    assert "pip install 'outcry[dvc]'" in pushed.err
    assert "pip install 'outcry[feast]'" in applied.err
    assert "--all" in unsaid.err
