"""Turn a table of text or typed columns into bars, strictly, inside DuckDB.

Nothing is guessed: a number is ASCII digits with one decimal mark, a time says its zone or is given
one, and whatever does not fit is left unread with the reason, the rest of its table untouched.
"""

import zoneinfo
from collections.abc import Iterator
from typing import Any, Literal

import duckdb
import msgspec
import numpy as np

from tools.market.bars import Floats
from tools.market.checks import Rows
from tools.market.sources.columns import PRICES, Columns
from tools.market.sources.source import Chunk, SourceError

CHUNK_ROWS = 50_000
_TEXTS = 60
"""Characters of a value that are quoted in a reason."""
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT")
_NAIVE_TIMES = ("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
_ISO = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?)?"
_ZONE = r"(Z|[+-]\d{2}(:?\d{2})?)"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How the values of a table are to be understood, where they do not say it themselves."""

    timezone: str | None = None
    """IANA name for times without a zone; days (of daily bars and longer) need none."""
    time_format: str | None = None
    """strptime format of the times, when they are not ISO 8601 or seconds since 1970."""
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None
    days: bool = True
    """Bars are of a day or longer, so that a date without a time is enough."""

    def checked(self) -> "Reading":
        """Return it, if it makes sense.

        Raises:
            SourceError: the zone is unknown, or one mark has two meanings.
        """
        if self.timezone is not None and self.timezone not in zoneinfo.available_timezones():
            raise SourceError(
                f"{self.timezone!r} is no time zone; use an IANA name such as America/New_York."
            )
        if self.thousands == self.decimal:
            raise SourceError(f"{self.decimal!r} cannot be both decimal and thousands mark.")
        return self


def connect() -> duckdb.DuckDBPyConnection:
    """Return a DuckDB in memory that fetches nothing from outside."""
    database = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "threads": "2",
        }
    )
    database.execute("SET TimeZone = 'UTC'")
    return database


class TypedTable:
    """A table `source` in DuckDB, with a column `_row` that counts from 1, read as bars."""

    def __init__(
        self,
        database: duckdb.DuckDBPyConnection,
        columns: Columns,
        reading: Reading,
        *,
        symbol: str | None,
    ) -> None:
        self._database = database
        self._types = {
            name: kind
            for name, kind in database.execute(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'source'"
            ).fetchall()
        }
        self._reading = reading
        self._columns = columns
        self._symbol = symbol
        self._make()

    def row_count(self) -> int:
        """Return how many rows there are."""
        found = self._database.execute("SELECT count(*) FROM bars").fetchone()
        return int(found[0]) if found else 0

    def chunks(self) -> Iterator[Chunk]:
        """Return the rows by symbol, in the order in which symbols first occur."""
        for symbol, count in self._database.execute(
            "SELECT symbol, count(*) FROM bars GROUP BY symbol ORDER BY min(_row)"
        ).fetchall():
            last = 0
            for _ in range(0, count, CHUNK_ROWS):
                chunk = self._read(symbol, last)
                last = int(chunk.numbers[-1])
                yield chunk

    # --- making it ----------------------------------------------------------------------------

    def _make(self) -> None:
        """Convert every column once; what cannot be converted is NULL, its text kept beside it."""
        columns, types = self._columns, self._types
        picked = [
            "_row",
            f"{self._symbol_expression()} AS symbol",
            *(self._number(field) for field in (*PRICES, "volume", "adjusted_close")),
            f"CAST({quoted(columns.timestamp)} AS VARCHAR) AS timestamp_text",
            f"{self._time(types[columns.timestamp])} AS opened",
        ]
        self._database.execute(
            f"CREATE TEMP TABLE converted AS SELECT {', '.join(picked)} FROM source"
        )
        self._database.execute(
            f"CREATE TEMP TABLE bars AS SELECT * EXCLUDE (opened), {self._in_utc()} FROM converted"
        )
        self._database.execute("DROP TABLE converted")

    def _symbol_expression(self) -> str:
        if self._columns.symbol is None:
            return literal(self._symbol or "")
        return f"upper(trim(coalesce(CAST({quoted(self._columns.symbol)} AS VARCHAR), '')))"

    def _number(self, field: str) -> str:
        """Return `field` as a double (NULL: it is none) and, if it was text, that text."""
        name: str | None = getattr(self._columns, field)
        if name is None:
            # A bar of a source without volume says so by 0; without adjustment by nothing.
            value = "0.0" if field == "volume" else "NULL"
            return f"CAST({value} AS DOUBLE) AS {field}, CAST(NULL AS VARCHAR) AS {field}_text"
        column = quoted(name)
        if self._types[name] != "VARCHAR":
            return (
                f"TRY_CAST({column} AS DOUBLE) AS {field}, "
                f"CAST({column} AS VARCHAR) AS {field}_text"
            )
        digits = r"\d+"
        text = f"trim({column})"
        if self._reading.thousands is not None:
            mark = self._reading.thousands
            digits = rf"(\d{{1,3}}(\{mark}\d{{3}})+|\d+)"
        decimal = rf"\{self._reading.decimal}"
        pattern = rf"[+-]?({digits}({decimal}\d*)?|{decimal}\d+)([eE][+-]?\d{{1,3}})?"
        plain = text
        if self._reading.thousands is not None:
            plain = f"replace({plain}, {literal(self._reading.thousands)}, '')"
        if self._reading.decimal == ",":
            plain = f"replace({plain}, ',', '.')"
        # What is too big for a double becomes infinite, and is none either.
        number = (
            f"CASE WHEN regexp_full_match({text}, {literal(pattern)}) "
            f"AND isfinite(TRY_CAST({plain} AS DOUBLE)) THEN TRY_CAST({plain} AS DOUBLE) END"
        )
        return f"{number} AS {field}, {column} AS {field}_text"

    def _time(self, kind: str) -> str:
        """Return the opening as a struct {t: TIMESTAMP, zoned: BOOLEAN}, or NULL."""
        column = quoted(self._columns.timestamp)
        if kind == "TIMESTAMP WITH TIME ZONE":
            return f"{{'t': timezone('UTC', {column}), 'zoned': true}}"
        if kind == "DATE":
            return f"{{'t': CAST({column} AS TIMESTAMP), 'zoned': false}}"
        if kind in _NAIVE_TIMES:
            return f"{{'t': CAST({column} AS TIMESTAMP), 'zoned': false}}"
        if kind in _INTEGERS:
            return _since_1970(f"CAST({column} AS BIGINT)")
        if kind != "VARCHAR":
            raise SourceError(
                f"The column {self._columns.timestamp!r} is of type {kind}, which is no time."
            )
        text = f"trim({column})"
        if self._reading.time_format is not None:
            wanted = literal(self._reading.time_format)
            zoned = "true" if "%z" in self._reading.time_format.lower() else "false"
            parsed = f"try_strptime({text}, {wanted})"
            if zoned == "true":
                parsed = f"timezone('UTC', {parsed})"
            return f"CASE WHEN {parsed} IS NOT NULL THEN {{'t': {parsed}, 'zoned': {zoned}}} END"
        as_dot = f"replace({text}, ',', '.')"
        return (
            "CASE "
            f"WHEN regexp_full_match({text}, {literal(_ISO)}) "
            f"THEN {{'t': TRY_CAST({as_dot} AS TIMESTAMP), 'zoned': false}} "
            f"WHEN regexp_full_match({text}, {literal(_ISO + _ZONE)}) "
            f"THEN {{'t': timezone('UTC', TRY_CAST({as_dot} AS TIMESTAMPTZ)), 'zoned': true}} "
            f"WHEN regexp_full_match({text}, '[12]\\d{{7}}') "
            f"THEN {{'t': TRY_CAST(try_strptime({text}, '%Y%m%d') AS TIMESTAMP), 'zoned': false}} "
            f"WHEN regexp_full_match({text}, '-?\\d{{9,19}}') "
            f"THEN {_since_1970(f'TRY_CAST({text} AS BIGINT)')} "
            "END"
        )

    def _in_utc(self) -> str:
        """Return the opening in UTC as `timestamp`, and what is wrong with it as `time_fault`."""
        zone = self._reading.timezone
        a_day = "opened.t = date_trunc('day', opened.t)" if self._reading.days else "false"
        if zone is None:
            return (
                f"CASE WHEN opened.zoned OR {a_day} THEN opened.t END AS timestamp, "
                "CASE WHEN opened.t IS NULL THEN 'format' "
                f"WHEN NOT (opened.zoned OR {a_day}) THEN 'zone' END AS time_fault"
            )
        name = literal(zone)
        there = f"timezone({name}, opened.t)"
        """The moment at which clocks there show `opened.t`."""

        def shows(moment: str) -> str:
            return f"timezone({name}, {moment})"

        exists = f"{shows(there)} = opened.t"
        twice = " OR ".join(
            f"{shows(f'{there} {sign} INTERVAL {minutes} MINUTE')} = opened.t"
            for sign in "+-"
            for minutes in (30, 60)
        )
        plain = f"opened.zoned OR {a_day}"
        told = "opened.t"
        if self._reading.days:
            # A vendor's daily bar opens at midnight there; ours at the midnight of that date.
            told = (
                f"CASE WHEN opened.zoned THEN date_trunc('day', timezone({name}, "
                "timezone('UTC', opened.t))) ELSE opened.t END"
            )
        return (
            f"CASE WHEN {plain} THEN {told} WHEN {exists} AND NOT ({twice}) "
            f"THEN timezone('UTC', {there}) END AS timestamp, "
            f"CASE WHEN opened.t IS NULL THEN 'format' WHEN {plain} THEN NULL "
            f"WHEN NOT ({exists}) THEN 'never' WHEN {twice} THEN 'twice' END AS time_fault"
        )

    # --- reading it ---------------------------------------------------------------------------

    def _read(self, symbol: str, after: int) -> Chunk:
        found = self._database.execute(
            f"SELECT _row, epoch_us(timestamp) AS opened, {', '.join(PRICES)}, volume, "
            "adjusted_close FROM bars WHERE symbol = ? AND _row > ? ORDER BY _row LIMIT ?",
            [symbol, after, CHUNK_ROWS],
        ).fetchnumpy()
        numbers = np.asarray(found["_row"], dtype=np.int64)
        micros = np.ma.filled(
            np.ma.asarray(found["opened"], dtype=np.int64), np.iinfo(np.int64).min
        )
        adjusted = (
            None if self._columns.adjusted_close is None else _floats(found, "adjusted_close")
        )
        return Chunk(
            symbol=symbol,
            rows=Rows(
                timestamps=micros.astype("datetime64[us]"),
                **{name: _floats(found, name) for name in (*PRICES, "volume")},
                adjusted_close=adjusted,
                unread=self._unread(symbol, numbers),
            ),
            numbers=numbers,
        )

    def _unread(self, symbol: str, numbers: Any) -> dict[int, str]:
        needed = (*PRICES, "volume")
        texts = ", ".join(f"left({name}_text, {_TEXTS}) AS {name}_text" for name in needed)
        faults = " OR ".join(f"{name} IS NULL" for name in needed)
        rows = self._database.execute(
            f"SELECT _row, left(timestamp_text, {_TEXTS}), time_fault, "
            f"adjusted_close IS NULL AND adjusted_close_text IS NOT NULL "
            f"AND trim(adjusted_close_text) <> '', left(adjusted_close_text, {_TEXTS}), "
            f"{', '.join(needed)}, {texts} FROM bars "
            "WHERE symbol = ? AND _row BETWEEN ? AND ? AND "
            f"(time_fault IS NOT NULL OR {faults} OR (adjusted_close IS NULL "
            "AND adjusted_close_text IS NOT NULL AND trim(adjusted_close_text) <> ''))",
            [symbol, int(numbers[0]), int(numbers[-1])],
        ).fetchall()
        unread = {}
        for row, said, time_fault, bad_adjusted, adjusted_text, *rest in rows:
            reasons = [self._time_reason(time_fault, said)] if time_fault else []
            values, shown = rest[: len(needed)], rest[len(needed) :]
            reasons += [
                self._number_reason(name, text)
                for name, value, text in zip(needed, values, shown, strict=True)
                if value is None
            ]
            if bad_adjusted:
                reasons.append(self._number_reason("adjusted close", adjusted_text))
            unread[int(np.searchsorted(numbers, row))] = reasons[0]
        return unread

    def _time_reason(self, fault: str, said: str | None) -> str:
        if said is None or not said.strip():
            return "timestamp is missing"
        zone = self._reading.timezone
        return {
            "format": f"timestamp {said!r} is not ISO 8601; say its format",
            "zone": f"timestamp {said!r} has no zone; say which",
            "never": f"timestamp {said!r} never was in {zone}: clocks were put forward",
            "twice": f"timestamp {said!r} was twice in {zone}: clocks were put back",
        }[fault]

    def _number_reason(self, name: str, said: str | None) -> str:
        if said is None or not said.strip():
            return f"{name} is missing"
        return f"{name} is no number: {said!r}"


def quoted(name: str) -> str:
    """Return an identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def _since_1970(number: str) -> str:
    """Return a count since 1970 as a time: its size tells seconds from milli-, micro-, nano-."""
    size = f"abs({number})"
    return (
        f"{{'t': CASE WHEN {size} < 100000000000 THEN make_timestamp({number} * 1000000) "
        f"WHEN {size} < 100000000000000 THEN make_timestamp({number} * 1000) "
        f"WHEN {size} < 100000000000000000 THEN make_timestamp({number}) "
        f"ELSE make_timestamp({number} // 1000) END, 'zoned': true}}"
    )


def _floats(found: dict[str, Any], name: str) -> Floats:
    values: Floats = np.ma.filled(np.ma.asarray(found[name], dtype=np.float64), np.nan)
    return values
