"""Turn column values into the values views are made of.

JSON columns are selected as text (`column::text`), so that it never matters which codec a
connection has.
"""

from typing import Any

import msgspec

from app.domain.costs import Receipt

_receipt = msgspec.json.Decoder(Receipt)


def from_json(text: str | None) -> Any:
    """Return what a JSON column holds; None for SQL NULL."""
    return None if text is None else msgspec.json.decode(text)


def receipt_of(text: str | None) -> Receipt | None:
    """Return a stored receipt."""
    return None if text is None else _receipt.decode(text)
