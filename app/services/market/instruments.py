"""Which instrument a request means."""

from datetime import date

from app.domain.errors import NotFound
from tools.errors import UnknownSymbol
from tools.market.instruments import Instrument
from tools.market.store import InstrumentStore
from tools.market.symbols import nearest


async def find_instrument(
    instruments: InstrumentStore, symbol: str, *, on: date | None = None
) -> Instrument:
    """Return the instrument of a symbol, in any case of letters; `on`: called so on that day.

    Raises:
        NotFound: `unknown_symbol`, with the nearest known ones.
    """
    found = await instruments.find(symbol, on=on)
    if found is None and symbol != symbol.upper():
        found = await instruments.find(symbol.upper(), on=on)
    if found is None:
        near = nearest(symbol, await instruments.all())
        unknown = UnknownSymbol(symbol[:40], nearest=near)
        raise NotFound(unknown.message, code=unknown.code)
    return found
