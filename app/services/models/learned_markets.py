"""What a card must say where a model learned from other instruments than those beside it later.

Some features are means over an instrument's market. A live forecast takes them over the market as
it is on the desk; a training over the instruments that were chosen. Pure.
"""

from collections.abc import Sequence
from datetime import timedelta

from app.services.predictions.features import MOST_SYMBOLS
from tools.market.instruments import Instrument
from tools.market.replays import is_replay
from tools.market.signals import market_of

_LIVES = timedelta(days=90)
"""An instrument whose history ended so long before the others' is in no mean with them."""


def market_notes(used: Sequence[Instrument], known: Sequence[Instrument]) -> tuple[str, ...]:
    """Return what to say of the market's columns; nothing where they are the same later.

    `used` are the instruments that were learned from, `known` all of the desk.
    """
    markets = {market_of(one) for one in used}
    if len(markets) > 1:
        return (
            f"Learned from {len(markets)} markets together: columns about the market were means "
            "over all of them that close at one moment, and are means over one when it serves.",
        )
    ends = [one.last_bar for one in used if one.last_bar is not None]
    beside = [
        one
        for one in known
        if ends
        and one.last_bar is not None
        and one.last_bar >= max(ends) - _LIVES
        and market_of(one) in markets
        and not is_replay(one.symbol)
    ]
    chosen = sum(one.symbol in {other.symbol for other in used} for one in beside)
    served = min(len(beside), MOST_SYMBOLS + 1)
    if chosen == served:
        return ()
    return (
        f"Learned from {chosen} of the {len(beside)} instruments of its market: columns about the "
        f"market were means over those, and are means over {served} when it serves.",
    )
