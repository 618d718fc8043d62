"""Money as people and programs read it."""

from decimal import Decimal


def plain(amount: Decimal) -> str:
    """Return `amount` exactly, without exponent or idle zeros: "0.0021", "0"."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
