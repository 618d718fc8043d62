"""Which column of a source is what, found by its usual names or told by a person. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from tools.market.sources.source import SourceError

FIELDS = ("symbol", "timestamp", "open", "high", "low", "close", "volume", "adjusted_close")
"""What a bar can be made of; the prices, the time and (unless left out) the volume are needed."""
PRICES = ("open", "high", "low", "close")

_USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker", "code", "instrument", "sym"),
    "timestamp": ("timestamp", "datetime", "time", "date", "day", "opentime", "ts", "t"),
    "open": ("open", "o", "openprice", "first"),
    "high": ("high", "h", "highprice", "max"),
    "low": ("low", "l", "lowprice", "min"),
    "close": ("close", "c", "closeprice", "last"),
    "volume": ("volume", "vol", "v", "volumetraded"),
    "adjusted_close": ("adjustedclose", "adjclose", "adjusted", "adjustedcloseprice"),
}


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """The source's own name of each field; None: it has none."""

    timestamp: str
    open: str
    high: str
    low: str
    close: str
    volume: str | None
    symbol: str | None = None
    adjusted_close: str | None = None


def find_columns(
    names: Sequence[str], told: Mapping[str, str], *, one_symbol: bool, without_volume: bool = False
) -> Columns:
    """Return which of `names` is what: as `told` (field -> name), else by its usual names.

    `one_symbol`: a person said whose bars these are, so that no symbol column is looked for.

    Raises:
        SourceError: a field is unknown, named twice, missing, or could be several columns.
    """
    unknown = [field for field in told if field not in FIELDS]
    if unknown:
        raise SourceError(f"{unknown[0]!r} is no field of a bar; fields: {', '.join(FIELDS)}.")
    if one_symbol and "symbol" in told:
        raise SourceError("Give either one symbol or the column that holds the symbols, not both.")
    found: dict[str, str | None] = {}
    for field in FIELDS:
        if (field == "symbol" and one_symbol) or (field == "volume" and without_volume):
            found[field] = None
        elif field in told:
            found[field] = _as_written(told[field], names, field)
        else:
            found[field] = _usual(field, names, taken=set(told.values()))
    missing = [
        field
        for field, name in found.items()
        if name is None
        and field != "adjusted_close"
        and not (field == "symbol" and one_symbol)
        and not (field == "volume" and without_volume)
    ]
    if missing:
        raise SourceError(_missing(missing, names))
    used = [name for name in found.values() if name is not None]
    twice = next((name for name in used if used.count(name) > 1), None)
    if twice is not None:
        raise SourceError(f"The column {twice!r} is used for two fields.")
    return msgspec.convert(found, Columns)


def _as_written(told: str, names: Sequence[str], field: str) -> str:
    if told in names:
        return told
    alike = [name for name in names if _plain(name) == _plain(told)]
    if len(alike) == 1:
        return alike[0]
    raise SourceError(f"There is no column {told!r} for {field}. Columns: {_listed(names)}.")


def _usual(field: str, names: Sequence[str], *, taken: set[str]) -> str | None:
    """Return the column with the likeliest name of `field`; the list is in order of likelihood."""
    free = [name for name in names if name not in taken]
    for usual in _USUAL_NAMES[field]:
        alike = [name for name in free if _plain(name) == usual]
        if len(alike) > 1:
            listed = " and ".join(repr(name) for name in alike)
            raise SourceError(f"{listed} could both be the {field}; say which: {field}=NAME.")
        if alike:
            return alike[0]
    return None


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _missing(fields: Sequence[str], names: Sequence[str]) -> str:
    told = ", ".join(f"{field}=NAME" for field in fields)
    hint = ""
    if "symbol" in fields:
        hint = " If all rows are of one symbol, say which."
    elif "volume" in fields:
        hint = " If there is no volume, say so: it is then 0."
    return (
        f"No column for {', '.join(fields)} among {_listed(names)}. Say which it is: {told}.{hint}"
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:30])
    return shown + (f" and {len(names) - 30} more" if len(names) > 30 else "") if names else "none"
