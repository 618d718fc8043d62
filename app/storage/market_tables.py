"""Instruments, their actions and former symbols; bars, their versions and suspects."""

import sqlalchemy as sa

from app.storage.columns import json, metadata, not_nan, one_of, time, uuid

_PRICES = ("open", "high", "low", "close", "volume", "adjusted_close")


def _prices() -> list[sa.Column]:  # type: ignore[type-arg]
    return [sa.Column(name, sa.Double, nullable=name == "adjusted_close") for name in _PRICES]


def _are_numbers() -> sa.CheckConstraint:
    finite = (f"{name} NOT IN ('NaN', 'Infinity', '-Infinity')" for name in _PRICES)
    return sa.CheckConstraint(" AND ".join(finite), name="prices_are_numbers")


def _instrument() -> sa.Column:  # type: ignore[type-arg]
    return uuid("instrument_id", sa.ForeignKey("instruments.id", ondelete="CASCADE"))


instruments = sa.Table(
    "instruments",
    metadata,
    uuid("id", primary_key=True),
    sa.Column("symbol", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, server_default="equity"),
    sa.Column("currency", sa.Text, nullable=False, server_default="USD"),
    sa.Column("exchange", sa.Text),
    sa.Column("source", sa.Text, nullable=False),
    json("provenance"),
    sa.Column("listed_on", sa.Date),
    sa.Column("delisted_on", sa.Date),
    time("created_at", default_now=True),
    time("updated_at", default_now=True),
    sa.Column("root", sa.Text),
    sa.Column("expires_on", sa.Date),
    sa.Column("rolls_on", sa.Date),
    sa.Column("roll_rule", sa.Text),
    sa.Column("roll_adjustment", sa.Text),
    one_of("roll_rule", "date", "volume"),
    one_of("roll_adjustment", "ratio", "difference"),
    sa.CheckConstraint(
        "CASE WHEN root IS NULL THEN num_nonnulls(expires_on, roll_rule, roll_adjustment) = 0"
        " WHEN expires_on IS NULL THEN num_nonnulls(roll_rule, roll_adjustment) = 2"
        " ELSE num_nonnulls(roll_rule, roll_adjustment) = 0 END",
        name="contract_or_series",
    ),
    sa.CheckConstraint("rolls_on <= expires_on", name="rolls_before_it_expires"),
    sa.Index(
        "uq_instruments_root_expires_on",
        "root",
        "expires_on",
        unique=True,
        postgresql_where=sa.text("expires_on IS NOT NULL"),
    ),
)

former_symbols = sa.Table(
    "former_symbols",
    metadata,
    _instrument(),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("valid_from", sa.Date),
    sa.Column("valid_to", sa.Date, nullable=False),
    sa.PrimaryKeyConstraint("instrument_id", "symbol", "valid_to"),
    sa.Index("ix_former_symbols_symbol", "symbol"),
)
"""What an instrument was called before, up to but not including `valid_to`."""

corporate_actions = sa.Table(
    "corporate_actions",
    metadata,
    uuid("id", primary_key=True),
    _instrument(),
    sa.Column("ex_date", sa.Date, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("new_shares", sa.Numeric),
    sa.Column("old_shares", sa.Numeric),
    sa.Column("amount", sa.Numeric),
    sa.Column("currency", sa.Text),
    sa.Column("new_symbol", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("source", sa.Text, nullable=False),
    time("known_at"),
    time("withdrawn_at", nullable=True),
    sa.Column("from_contract", sa.Text),
    sa.Column("to_contract", sa.Text),
    sa.Column("from_price", sa.Numeric),
    sa.Column("to_price", sa.Numeric),
    sa.Column("adjustment", sa.Text),
    one_of("kind", "split", "dividend", "special_dividend", "symbol_change", "delisting", "roll"),
    one_of("adjustment", "ratio", "difference"),
    not_nan("from_price"),
    not_nan("to_price"),
    sa.CheckConstraint(
        "num_nonnulls(from_contract, to_contract, from_price, to_price, adjustment)"
        " = CASE WHEN kind = 'roll' THEN 5 ELSE 0 END",
        name="rolls_have_both_contracts",
    ),
    sa.CheckConstraint(
        "adjustment <> 'ratio' OR (from_price > 0 AND to_price > 0)", name="ratios_of_prices"
    ),
    sa.CheckConstraint(
        "(kind = 'split') = (new_shares IS NOT NULL AND old_shares IS NOT NULL)",
        name="splits_have_a_ratio",
    ),
    sa.CheckConstraint("new_shares > 0 AND old_shares > 0", name="ratios_are_positive"),
    not_nan("new_shares"),
    not_nan("old_shares"),
    sa.CheckConstraint(
        "(kind IN ('dividend', 'special_dividend')) = (amount IS NOT NULL)",
        name="dividends_have_an_amount",
    ),
    sa.CheckConstraint("amount > 0", name="amount_is_positive"),
    not_nan("amount"),
    sa.Index(
        "uq_corporate_actions_valid",
        "instrument_id",
        "ex_date",
        "kind",
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    ),
    sa.Index("ix_corporate_actions_instrument_id", "instrument_id"),
)

bar_series = sa.Table(
    "bar_series",
    metadata,
    _instrument(),
    sa.Column("timeframe", sa.Text, nullable=False),
    sa.Column("basis", sa.Text, nullable=False),
    sa.Column("adjusted_until", sa.Date),
    sa.PrimaryKeyConstraint("instrument_id", "timeframe"),
    one_of("basis", "as_traded", "split_adjusted"),
)
"""On which basis a whole series is: two are never mixed in one."""

bars = sa.Table(
    "bars",
    metadata,
    _instrument(),
    sa.Column("timeframe", sa.Text, nullable=False),
    time("timestamp"),
    *_prices(),
    time("ingested_at", default_now=True),
    sa.Column("source", sa.Text),
    sa.PrimaryKeyConstraint("instrument_id", "timeframe", "timestamp"),
    _are_numbers(),
    sa.CheckConstraint("high >= low AND volume >= 0", name="prices_are_possible"),
)
"""What is believed now. `ingested_at`: since when the desk knows this version; `source`: who gave
it, where that is another than the instrument's own."""

bar_versions = sa.Table(
    "bar_versions",
    metadata,
    _instrument(),
    sa.Column("timeframe", sa.Text, nullable=False),
    time("timestamp"),
    *_prices(),
    time("known_at"),
    time("superseded_at"),
    sa.Column("source", sa.Text),
    sa.PrimaryKeyConstraint("instrument_id", "timeframe", "timestamp", "known_at"),
)
"""What was believed before."""

bar_suspects = sa.Table(
    "bar_suspects",
    metadata,
    uuid("id", primary_key=True),
    _instrument(),
    sa.Column("timeframe", sa.Text, nullable=False),
    time("timestamp"),
    *_prices(),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("possible", sa.Boolean, nullable=False),
    sa.Column("status", sa.Text, nullable=False, server_default="quarantined"),
    time("arrived_at"),
    time("decided_at", nullable=True),
    sa.Column("decided_by", sa.Text),
    one_of("status", "quarantined", "accepted", "rejected"),
    _are_numbers(),
    sa.UniqueConstraint(
        "instrument_id", "timeframe", "timestamp", "open", "high", "low", "close", "volume",
        name="uq_bar_suspects_same",
    ),
    sa.Index(
        "ix_bar_suspects_quarantined",
        "instrument_id",
        postgresql_where=sa.text("status = 'quarantined'"),
    ),
)  # fmt: skip
"""Bars that parse and cannot be believed, until somebody decides."""
