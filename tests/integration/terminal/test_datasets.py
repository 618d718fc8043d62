"""`outcry dataset …`, and from a collected table to a model, as a person types it."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.integration.terminal.command import Command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("terminal")]


def write_rows(path: Path, *, rows: int = 300, seed: int = 4) -> Path:
    dice = np.random.default_rng(seed)
    lines = ["day,shop,warm,weather_as_the_station_at_the_harbour_says,takings"]
    for number in range(rows):
        warm, weather = dice.normal(15, 8), dice.choice(["sun", "rain"])
        takings = 100 + 4 * warm + 30 * (weather == "sun") + dice.normal(0, 5)
        day = np.datetime64("2024-01-01") + number // 2
        lines.append(
            f"{day},{'north' if number % 2 else 'south'},{warm:.3f},{weather},{takings:.2f}"
        )
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def narrow(outcry: Command) -> Command:
    """The command in a pipe that is 80 columns wide."""
    return Command(outcry.data_dir, {"COLUMNS": "80"})


def fits(out: str) -> bool:
    return all(len(line) <= 80 for line in out.splitlines())


async def test_a_dataset_is_added_looked_at_and_collected_again(
    narrow: Command, tmp_path: Path
) -> None:
    rows = write_rows(tmp_path / "takings.csv")

    added = await narrow(
        "dataset", "add", "harbour takings", "--file", str(rows), "--entity", "shop"
    )

    assert added.rc == 0, added.err
    assert added.out.startswith("harbour takings@1: 300 rows, ready.\n")
    assert "completeness 1.000" in added.out
    listed = await narrow("dataset", "list")
    assert listed.rc == 0
    (line,) = [one for one in listed.out.splitlines() if "harbour takings" in one]
    assert "file" in line
    assert "300" in line
    assert "ready" in line
    assert fits(listed.out), listed.out
    profile = await narrow("dataset", "profile", "harbour takings")
    assert profile.out.startswith("harbour takings@1, 300 rows\n")
    for name in ("day", "shop", "warm", "weather_as", "takings"):
        assert name in profile.out
    assert "2024-01-01" in profile.out
    assert "…" not in profile.out
    assert fits("\n".join(profile.out.splitlines()[:-1])), profile.out

    write_rows(rows, rows=310)
    assert (await narrow("dataset", "collect", "harbour takings")).out.startswith(
        "harbour takings@2: 310 rows, ready."
    )
    assert "@2: 310 rows" in (await narrow("dataset", "collect", "harbour takings")).out
    shown = await narrow("dataset", "show", "harbour takings")
    assert shown.out.startswith("harbour takings (ready, training)\n")
    assert "@2  310 rows  " in shown.out
    assert "@1  300 rows  " in shown.out
    whole = json.loads((await narrow("dataset", "show", "harbour takings", "--json")).out)
    assert (whole["size"], whole["source"]["type"]) == (310, "file")
    old = await narrow("dataset", "profile", "harbour takings", "--version", "1", "--json")
    assert json.loads(old.out)["size"] == 300


async def test_a_collected_table_becomes_a_model_that_answers_rows(
    narrow: Command, tmp_path: Path
) -> None:
    rows = write_rows(tmp_path / "sales.csv", rows=600)
    await narrow("dataset", "add", "sales", "--file", str(rows), "--entity", "shop")

    trained = await narrow("train", "--dataset", "sales", "--target", "takings", "--deploy")

    assert trained.rc == 0, trained.err
    assert "sales-takings@1" in trained.out
    assert "on sales@1: 600 rows, 'takings' to be foretold" in trained.out.replace("\n", " ")
    assert "last value" in trained.out
    assert trained.out.rstrip().endswith("skill above 0.")
    new = write_rows(tmp_path / "new.csv", rows=20, seed=9)
    answered = await narrow("model", "predict", "sales-takings", str(new))
    assert answered.rc == 0, answered.err
    head, *lines = answered.out.splitlines()
    assert (head, len(lines)) == ("value,low,high", 20)
    target = tmp_path / "out.csv"
    assert (
        await narrow("model", "predict", "sales-takings@champion", str(new), "-o", str(target))
    ).rc == 0
    assert target.read_text() == answered.out

    again = await narrow("evaluate", "sales-takings", "--again")
    assert again.rc == 0, again.err
    assert "sales-takings@2" in again.out

    for arguments, says in (
        (("model", "predict", "sales-takings", str(tmp_path / "no.csv")), "There is no file"),
        (("model", "predict", "sales-takings", "rows.xlsx"), "give a .csv"),
        (("train", "--dataset", "sales", "--target", "absent"), "'absent' cannot be foretold"),
        (("train", "variance", "--dataset", "sales"), "does not learn from that"),
        (("train", "--target", "takings"), "name a dataset"),
    ):
        done = await narrow(*arguments)
        assert (done.rc, done.out) == (1, ""), arguments
        assert says in done.err, done.err
        assert "Traceback" not in done.err
    (tmp_path / "less.csv").write_text("warm\n1\n")
    done = await narrow("model", "predict", "sales-takings", str(tmp_path / "less.csv"))
    assert done.rc == 1
    assert "has no column" in done.err


async def test_what_cannot_be_collected_is_told_in_a_line(narrow: Command, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.csv", rows=30)
    ragged = tmp_path / "ragged.parquet"
    ragged.write_bytes(b"not a parquet file")
    query = tmp_path / "query.sql"
    query.write_text("SELECT 1")
    place = "postgresql://127.0.0.1:5432/b"
    for arguments, says in (
        (("add", "x"), "Say one of --file, --url, --database and --stream."),
        (("add", "x", "--file", "a", "--url", "b"), "Say one of"),
        (("add", "x", "--file", str(tmp_path / "no.csv")), "There is no file"),
        (("add", "ragged", "--file", str(ragged)), "cannot be read"),
        (("add", "y", "--file", str(rows), "--time", "when"), "no column 'when'"),
        (("add", "x", "--url", "ftp://a.example.org/b"), "begins with https://"),
        (("add", "x", "--database", place), "the one SELECT"),
        (("add", "db", "--database", place, "--query", f"@{query}"), "needs a `user`"),
        (
            ("add", "db", "--database", place, "--query", f"@{query}", "--credential", "user=HOME"),
            "not a public address",
        ),
        (("add", "x", "--database", place, "--query", "@/no"), "cannot be read"),
        (("add", "x", "--stream", "kafka://127.0.0.1:9/"), "kafka://host:9092/topic"),
        (("add", "st", "--stream", "kafka://127.0.0.1:9/t"), "OUTCRY_OUTBOUND_ALLOW"),
        (("add", "x", "--url", "https://a.example.org", "--credential", "a"), "NAME=VARIABLE"),
        (
            ("add", "x", "--url", "https://a.example.org", "--credential", "a=UNSET_HERE"),
            "UNSET_HERE is not set",
        ),
        (("show", "absent"), "There is no dataset 'absent'"),
        (("collect", "absent"), "There is no dataset 'absent'"),
        (("profile", "absent"), "There is no dataset 'absent'"),
        (("profile", "ragged"), "has not been collected yet"),
    ):
        done = await narrow("dataset", *arguments)
        assert (done.rc, done.out) == (1, ""), (arguments, done)
        assert says in " ".join(done.err.split()), done.err
        assert "Traceback" not in done.err
