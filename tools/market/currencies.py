"""Currencies whose prices are quoted in hundredths: pence are not pounds.

London quotes in pence (GBX), Johannesburg in cents (ZAC), Tel Aviv in agorot (ILA). Between a
currency and its hundredth amounts are converted exactly; between any others never.
"""

from decimal import Decimal

HUNDREDTHS = {"GBX": "GBP", "ZAC": "ZAR", "ILA": "ILS"}
"""Code of the hundredth -> code of the currency."""
_SPOKEN = {"GBp": "GBX", "GBx": "GBX", "ZAc": "ZAC", "ILa": "ILA"}


def code(said: str) -> str:
    """Return a currency's code: capitals, except that `GBp` is pence and not pounds."""
    said = said.strip()
    return _SPOKEN.get(said, said.upper())


def in_units_of(amount: Decimal, currency: str, wanted: str) -> Decimal | None:
    """Return an amount in another currency's units; None where only a rate could tell."""
    if currency == wanted:
        return amount
    if HUNDREDTHS.get(currency) == wanted:
        return amount / 100
    if HUNDREDTHS.get(wanted) == currency:
        return amount * 100
    return None
