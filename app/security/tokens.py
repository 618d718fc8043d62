"""Make secrets that cannot be guessed, and the hashes they are stored as.

A token holds 256 random bits, so a plain SHA-256 is enough to store it: there is nothing to try.
"""

import hashlib
import secrets

KEY_PREFIX = "oc_"
_SHOWN_CHARACTERS = len(KEY_PREFIX) + 6
_LONGEST = 200
"""Anything longer was not made here and is not worth hashing."""


def new_token() -> str:
    """Return a secret for a session or a sign-in link."""
    return secrets.token_urlsafe(32)


def new_api_key() -> str:
    """Return an API key; its prefix lets people and scanners see what it is."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """Return what is stored and looked up."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def shown_part(key: str) -> str:
    """Return the part of an API key that may be shown, to tell keys apart."""
    return key[:_SHOWN_CHARACTERS]


def may_be_token(token: str) -> bool:
    """Tell whether it could be one of ours at all."""
    return 0 < len(token) <= _LONGEST
