"""An import takes what can be believed, and reports everything else with its row and reason."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.domain.errors import Invalid
from app.services.market.bar_import import BarImport, ImportReport, NewSymbols, RefusedRow
from app.services.market.bar_intake import BarIntake
from tools.market.instruments import Instrument
from tools.market.sources.files import FileSource
from tools.market.sources.source import Chunk
from tools.market.store import InProcessMarket

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOG = Instrument(symbol="GOOG", name="Google", source="test")
ROWS = """Date,Ticker,Open,High,Low,Close,Volume
2020-01-02,GOOG,1,2,0.5,1.5,100
2020-01-03,GOOG,1,2,0.5,N/A,100
2020-01-06,GOOG,1,0.1,0.5,1,100
2020-01-06,ACME,1,2,0.5,1,100
2020-01-07,,1,2,0.5,1,100
2020-01-07,"DROP TABLE",1,2,0.5,1,100
"""


def desk(*instruments: Instrument) -> tuple[InProcessMarket, BarImport]:
    market = InProcessMarket(instruments or (GOOG,))
    return market, BarImport(market, BarIntake(market, market, clock=lambda: NOW))


def written(tmp_path: Path, text: str = ROWS) -> FileSource:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    return FileSource(path)


async def test_what_can_be_believed_is_stored_and_the_rest_reported(tmp_path: Path) -> None:
    market, importing = desk()
    refused: list[RefusedRow] = []
    report = await importing.run(written(tmp_path), "1d", on_refused=refused.append)
    assert (report.rows, report.accepted, report.refused) == (6, 1, 5)
    assert [(row.row, row.symbol, row.reason) for row in refused] == [
        (2, "GOOG", "close is no number: 'N/A'"),
        (3, "GOOG", "suspect: high 0.1 is below low 0.5"),
        (4, "ACME", "symbol 'ACME' is unknown"),
        (5, "", "symbol is missing"),
        (6, "DROP TABLE", refused[4].reason),
    ]
    assert "other signs" in refused[4].reason
    assert report.reasons["suspect: high … is below low …"] == 1
    assert len(await market.read("GOOG")) == 1


async def test_unknown_symbols_are_made_known_on_request(tmp_path: Path) -> None:
    market, importing = desk()
    new = NewSymbols(source="my broker", currency="eur", exchange="XETR")
    report = await importing.run(written(tmp_path), "1d", create=new)
    made = await market.find("ACME")
    assert made is not None
    assert (made.currency, made.exchange, made.source) == ("EUR", "XETR", "my broker")
    assert [one.symbol for one in report.symbols if one.created] == ["ACME"]


async def test_a_symbol_of_which_nothing_can_be_believed_is_not_made_known(tmp_path: Path) -> None:
    market, importing = desk()
    text = "date,symbol,o,h,l,c,v\n2020-01-02,ACME,1,2,0.5,N/A,1\n"
    report = await importing.run(
        written(tmp_path, text), "1d", create=NewSymbols(source="my broker")
    )
    assert (report.accepted, report.symbols[0].created) == (0, False)
    assert await market.find("ACME") is None


async def test_a_dry_run_reports_the_same_and_stores_nothing(tmp_path: Path) -> None:
    new = NewSymbols(source="my broker")
    market, importing = desk()
    rehearsed = await importing.run(written(tmp_path), "1d", create=new, dry_run=True)
    assert (len(await market.read("GOOG")), await market.find("ACME")) == (0, None)
    done = await importing.run(written(tmp_path), "1d", create=new)
    assert outcome(rehearsed) == outcome(done)


def outcome(report: ImportReport) -> object:
    counts = [(one.symbol, one.rows, one.accepted, one.refused) for one in report.symbols]
    return counts, report.reasons, report.examples


async def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    market, importing = desk()
    await importing.run(written(tmp_path), "1d")
    before = await market.read("GOOG")
    await importing.run(written(tmp_path), "1d")
    after = await market.read("GOOG")
    assert after.close.tolist() == before.close.tolist()
    assert after.timestamps.tolist() == before.timestamps.tolist()


async def test_progress_is_told_after_each_piece(tmp_path: Path) -> None:
    _, importing = desk()
    told: list[tuple[int, int | None]] = []
    await importing.run(
        written(tmp_path), "1d", on_progress=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (6, 6)


async def test_a_timeframe_that_is_none_is_refused(tmp_path: Path) -> None:
    _, importing = desk()
    with pytest.raises(Invalid, match="`timeframe` must be one of"):
        await importing.run(written(tmp_path), "7d")


async def test_a_source_that_fails_in_the_middle_keeps_what_it_brought(tmp_path: Path) -> None:
    class Broken(FileSource):
        async def chunks(self) -> AsyncIterator[Chunk]:
            async for chunk in super().chunks():
                yield chunk
                raise OSError("the line went dead")

    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    market, importing = desk()
    with pytest.raises(OSError, match="the line went dead"):
        await importing.run(Broken(path), "1d")
    assert len(await market.read("GOOG")) == 1
