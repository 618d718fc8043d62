"""Seal secrets for storage: AES-256-GCM under a key that never enters the database.

The secret's name and the key's id are authenticated with it, so a sealed value that was copied to
another name, or relabelled, does not open. Several keys may be given: the first seals, all open.
"""

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.security.errors import SealBroken, SecretKeyUnusable

_VERSION = b"\x01"
_NONCE_BYTES = 12
_SHORTEST_KEY = 32
_FILE = "secret-key"


class Sealer:
    """Seals with the first key, opens with any."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Args:
        keys: what `load_secret_key` gave, newest first.
        """
        derived = [(_derive(key, b"outcry key id", 4).hex(), key) for key in keys]
        self.key_id = derived[0][0]
        self._ciphers = {
            key_id: AESGCM(_derive(key, b"outcry sealed secrets", 32)) for key_id, key in derived
        }

    def seal(self, name: str, secret: str) -> bytes:
        """Return `secret` sealed under `name`."""
        nonce = os.urandom(_NONCE_BYTES)
        cipher = self._ciphers[self.key_id]
        return _VERSION + nonce + cipher.encrypt(nonce, secret.encode(), _bound(name, self.key_id))

    def open(self, name: str, key_id: str, sealed: bytes) -> str:
        """Return what was sealed.

        Raises:
            SealBroken: it was changed, moved from another name, or sealed by an unknown key.
        """
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealBroken(
                f"The secret {name!r} was sealed by another key ({key_id}): start with the"
                " OUTCRY_SECRET_KEY that it was stored with, after the new one if that has changed"
            )
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _VERSION:
            raise SealBroken(f"The secret {name!r} is damaged: store it anew")
        try:
            return cipher.decrypt(nonce, text, _bound(name, key_id)).decode()
        except (InvalidTag, ValueError) as error:
            raise SealBroken(f"The secret {name!r} is damaged: store it anew") from error


def load_secret_key(configured: str | None, data_dir: Path) -> list[str]:
    """Return the keys to seal with: the configured ones (separated by spaces), else our own.

    Our own is made at first start and kept in `data_dir`, readable by us alone.

    Raises:
        SecretKeyUnusable: too short to be safe, or the file cannot be read or written.
    """
    if configured is not None and configured.strip():
        return [_long_enough(key, "OUTCRY_SECRET_KEY") for key in configured.split()]
    path = data_dir / _FILE
    try:
        if not path.exists():
            data_dir.mkdir(parents=True, exist_ok=True)
            _make_key(path)
        path.chmod(0o600)
        keys = path.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretKeyUnusable(f"The secret key {path} cannot be used: {error}") from error
    if not keys:
        raise SecretKeyUnusable(f"The secret key {path} is empty: restore it from a backup")
    return [_long_enough(key, str(path)) for key in keys]


def _make_key(path: Path) -> None:
    """Write a fresh key, whole or not at all; whoever else makes one at once may win."""
    fresh = path.with_name(f"{_FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{secrets.token_urlsafe(48)}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(fresh)
    finally:
        fresh.unlink()


def _long_enough(key: str, where: str) -> str:
    if len(key) < _SHORTEST_KEY:
        raise SecretKeyUnusable(
            f"{where} must have at least {_SHORTEST_KEY} characters; it has {len(key)}"
        )
    return key


def _derive(key: str, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(key.encode())


def _bound(name: str, key_id: str) -> bytes:
    return f"{key_id}\0{name}".encode()
