"""News and statements from files, by the command, beside a running desk."""

import csv
from pathlib import Path

import pytest

from tests.integration.terminal.command import Command

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("terminal")]

HEADLINES = """\
Date;Headline;Tickers;Kind
2013-02-28T15:00:00Z;Apple wins praise for its stores;;news
2013-02-28;"Google; a strong year";MSFT;analyst
2013-02-30;Impossible day;GOOG;news
"""
REPORTS = """\
symbol,periodEnd,months,publishedAt,sales,netIncome,equity,totalDebt,shares,dps
MSFT,2012-06-30,12,2012-07-26,73723,16978,66363,11944,8396,0.80
MSFT,2011-06-30,12,2011-07-28,"69,943",1,1,1,1,1
"""


async def test_headlines_are_imported_once_and_asked_about(outcry: Command, tmp_path: Path) -> None:
    file, refused = tmp_path / "headlines.csv", tmp_path / "refused.csv"
    file.write_text(HEADLINES, encoding="utf-8")
    told = ("import", "news", str(file), "--set", "sourceName=Wire", "--refused", str(refused))
    rehearsed = await outcry(*told, "--dry-run")
    assert rehearsed.out.splitlines()[0] == "headlines.csv: 3 items, 2 would be stored, 1 refused"
    done = await outcry(*told)
    assert done.rc == 0
    assert done.out.splitlines()[0] == "headlines.csv: 3 items, 2 stored, 1 refused"
    with refused.open(newline="", encoding="utf-8") as written:
        assert [row[:2] for row in csv.reader(written)] == [["file", "row"], ["headlines.csv", "3"]]
    again = await outcry(*told)
    assert "0 stored, 2 known before, 1 refused" in again.out
    answer = await outcry("ask", "What were the headlines on Apple on 28 February 2013?")
    assert "Wire: “Apple wins praise for its stores”" in answer.out


async def test_statements_are_imported_and_asked_about(outcry: Command, tmp_path: Path) -> None:
    file = tmp_path / "reports.csv"
    file.write_text(REPORTS, encoding="utf-8")
    told = ("import", "fundamentals", str(file), "--set", "currency=USD")
    missing = await outcry(*told)
    assert (missing.rc, missing.out) == (1, "")
    assert "No column for source: say --map source=COLUMN or --set source=VALUE." in missing.err
    done = await outcry(*told, "--set", "source=annual reports")
    assert done.out.splitlines() == [
        "reports.csv: 2 statements, 1 stored, 1 refused",
        "  row 2: revenue is not a plain number: '69,943'",
    ]
    answer = await outcry("ask", "What is the dividend yield of Microsoft?")
    assert "MSFT's dividend yield is 2.9\u00a0%" in answer.out
    none = await outcry("ask", "What is Apple's P/E?")
    assert "I have no reported statements of AAPL" in none.out


async def test_what_is_no_such_file_is_told_in_a_line(outcry: Command, tmp_path: Path) -> None:
    odd = tmp_path / "reports.xls"
    odd.write_bytes(b"\x00\x01")
    for path, said in ((tmp_path / "none.csv", "There is no file"), (odd, "must end in .csv")):
        done = await outcry("import", "news", str(path))
        assert (done.rc, done.err.count("\n")) == (1, 1)
        assert said in done.err
    done = await outcry("import", "news", str(odd), "--map", "headline=x")
    assert "'headline' is no field; fields: type, sourceName, title" in done.err


async def test_news_is_scored_again_by_rules_and_not_by_what_cannot(
    outcry: Command, tmp_path: Path
) -> None:
    done = await outcry("score", "henry-rules")
    assert done.out == "henry-rules/1: scored 0 of 0 items\n"
    for told, said in (
        (("llm",), "give --max-usd AMOUNT"),
        (("llm", "--max-usd", "1"), "The built-in model does not judge texts"),
        (("llm", "--max-usd", "lots"), "--max-usd must be an amount above 0"),
        ((str(tmp_path),), "there is no config.json in it"),
    ):
        refused = await outcry("score", *told)
        assert (refused.rc, refused.err.count("\n")) == (1, 1), told
        assert said in refused.err
