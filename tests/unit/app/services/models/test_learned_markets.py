"""A card says when the market beside a model is not the one that it learned from."""

from datetime import UTC, datetime

from app.services.models.learned_markets import market_notes
from tools.market.instruments import Instrument
from tools.market.replays import replay_of

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def instrument(symbol: str, *, kind: str = "equity", last: datetime | None = NOW) -> Instrument:
    return Instrument(symbol=symbol, name=symbol, source="a test", kind=kind, last_bar=last)


SIX = [instrument(f"S{number}") for number in range(6)]


def test_a_whole_market_needs_no_word() -> None:
    gone = instrument("GONE", last=datetime(2013, 3, 1, tzinfo=UTC))
    none = instrument("NONE", last=None)
    others = [gone, none, instrument("EUR", kind="fx"), instrument(replay_of("S0"))]
    assert market_notes(SIX, [*SIX, *others]) == ()
    assert market_notes([*SIX, gone], [*SIX, gone]) == ()


def test_a_part_of_a_market_is_said() -> None:
    (said,) = market_notes(SIX[:2], SIX)
    assert said.startswith("Learned from 2 of the 6 instruments of its market")
    assert said.endswith("are means over 6 when it serves.")


def test_more_than_a_live_forecast_reads_is_said() -> None:
    many = [instrument(f"M{number:03}") for number in range(100)]
    (said,) = market_notes(many, many)
    assert said.startswith("Learned from 100 of the 100")
    assert said.endswith("are means over 61 when it serves.")


def test_several_markets_are_said() -> None:
    (said,) = market_notes([*SIX, instrument("EUR", kind="fx")], SIX)
    assert said.startswith("Learned from 2 markets together")


def test_nothing_is_said_where_nothing_is_known_of_the_instruments() -> None:
    assert market_notes([instrument("S0", last=None)], SIX) == ()
