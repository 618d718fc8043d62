"""What is at an address, through the outbound guard."""

from app.domain.errors import Invalid, Unavailable
from app.security.outbound import Outbound, OutboundFailed, OutboundRefused
from app.services.dataset_collecting import FETCH_S, MOST_BYTES
from app.services.dataset_sources import Fetch, Fetched


class OutsideApi:
    """Implements `app.services.dataset_sources.ReadSource` on an address."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def __call__(self, fetch: Fetch) -> Fetched:
        """Write what is at the address to the target.

        Raises:
            Invalid: the address is not permitted.
            Unavailable: it cannot be had.
        """
        try:
            with fetch.target.open("wb") as file:
                await self._outbound.download(
                    fetch.source.uri,
                    file.write,
                    most=MOST_BYTES,
                    total_s=FETCH_S,
                    headers=fetch.credentials,
                )
        except OutboundRefused as refused:
            raise Invalid(f"`source.uri`: {refused.reason}", code="address_refused") from None
        except OutboundFailed as failed:
            raise Unavailable(
                f"It cannot be fetched. {failed.reason}", code="not_fetched"
            ) from None
        return Fetched()
