"""Find the instrument that somebody named, without reading any price."""

from tools.market.instruments import Instrument
from tools.market.store import InstrumentStore
from tools.market.symbols import resolve


async def meant(instruments: InstrumentStore, said: str) -> Instrument:
    """Return the instrument of this symbol or name.

    Raises:
        UnknownSymbol: with the nearest known ones.
    """
    # The usual case needs one row, not the whole list.
    found = await instruments.find(said.strip().upper())
    return found if found is not None else resolve(said, await instruments.all())
