"""What companies reported: its store and the one way in."""

import msgspec

from app.security.people import utc_now
from app.services.market.fundamentals import FundamentalsService, StatementIntake
from app.storage.engine import Database
from app.storage.statements import PostgresStatements
from tools.market.store import BarStore, InstrumentStore


class FundamentalsDesk(msgspec.Struct, kw_only=True):
    """Everything about fundamentals that is open."""

    store: PostgresStatements
    intake: StatementIntake
    """The one way statements get in."""
    service: FundamentalsService


def open_fundamentals(
    database: Database, instruments: InstrumentStore, bars: BarStore
) -> FundamentalsDesk:
    """Open the desk's fundamentals."""
    store = PostgresStatements(database)
    intake = StatementIntake(instruments, store, clock=utc_now)
    return FundamentalsDesk(
        store=store,
        intake=intake,
        service=FundamentalsService(instruments, bars, store, intake, clock=utc_now),
    )
