"""Taking a replay out again, with everything that was stored of it."""

from app.storage.engine import Database
from tools.market.replays import is_replay


class StoredReplays:
    """Replays as rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remove(self, symbol: str) -> None:
        """Remove a replay's instrument; its bars and signals go with it.

        Raises:
            ValueError: it is no replay.
        """
        if not is_replay(symbol):
            raise ValueError(f"{symbol} is no replay")
        await self._database.execute("DELETE FROM instruments WHERE symbol = $1", symbol)
