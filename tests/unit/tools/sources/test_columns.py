"""Columns are found by their usual names, or told, and never guessed."""

import pytest

from tools.market.sources.columns import find_columns
from tools.market.sources.source import SourceError

YAHOO = ("Date", "Open", "High", "Low", "Close", "Adj Close", "Volume")


def test_the_usual_names_are_found_whatever_their_case_and_signs() -> None:
    found = find_columns(YAHOO, {}, one_symbol=True)
    assert (found.timestamp, found.close, found.adjusted_close) == ("Date", "Close", "Adj Close")
    assert found.symbol is None


def test_one_letter_names_of_vendors_are_found() -> None:
    found = find_columns(("t", "o", "h", "l", "c", "v", "n", "vw"), {}, one_symbol=True)
    assert (found.timestamp, found.open, found.volume) == ("t", "o", "v")


def test_a_column_with_a_likelier_name_wins() -> None:
    names = ("timestamp", "date", "ticker", "open", "high", "low", "close", "last", "volume")
    found = find_columns(names, {}, one_symbol=False)
    assert (found.timestamp, found.close, found.symbol) == ("timestamp", "close", "ticker")


def test_what_is_told_is_not_taken_for_anything_else() -> None:
    found = find_columns(YAHOO, {"close": "Adj Close"}, one_symbol=True)
    assert (found.close, found.adjusted_close) == ("Adj Close", None)


@pytest.mark.parametrize(
    ("names", "told", "one_symbol", "said"),
    [
        (YAHOO, {}, False, "No column for symbol among 'Date'"),
        (YAHOO[:-1], {}, True, "If there is no volume, say so"),
        (YAHOO, {"shut": "Close"}, True, "'shut' is no field of a bar"),
        (YAHOO, {"close": "Last"}, True, "There is no column 'Last' for close"),
        (YAHOO, {"symbol": "Date"}, True, "not both"),
        (YAHOO, {"open": "High", "high": "High"}, True, "'High' is used for two fields"),
        ((*YAHOO, "close"), {}, True, "'Close' and 'close' could both be the close"),
        ((), {}, True, "among none"),
    ],
)
def test_what_cannot_be_told_is_asked_for(
    names: tuple[str, ...], told: dict[str, str], one_symbol: bool, said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        find_columns(names, told, one_symbol=one_symbol)


def test_a_source_without_volume_may_say_so() -> None:
    assert find_columns(YAHOO[:-1], {}, one_symbol=True, without_volume=True).volume is None
