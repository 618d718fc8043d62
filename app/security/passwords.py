"""Store and check passwords: argon2id, off the event loop, equally slow for unknown users."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar, TypeVarTuple, Unpack

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.domain.errors import Invalid

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

_SHORTEST = 8
_LONGEST = 1_000


class Passwords:
    """Hashes on threads of its own, few at a time: each hash takes 64 MiB."""

    def __init__(self, hasher: PasswordHasher | None = None, *, at_once: int = 2) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="passwords")
        self._nobodys: str | None = None

    async def __aenter__(self) -> "Passwords":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Return what is stored for a new password.

        Raises:
            Invalid: it is too short or too long.
        """
        if not _SHORTEST <= len(password) <= _LONGEST:
            raise Invalid(
                f"A password has {_SHORTEST} to {_LONGEST:,} characters;"
                f" this has {len(password):,}.",
                code="password_length",
            )
        return await self._on_thread(self._hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether the password is right; without a hash it never is, after the same time."""
        return await self._on_thread(self._verify, password_hash, password[:_LONGEST])

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether the hash was made with weaker settings than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _on_thread(self, work: Callable[[Unpack[Arguments]], T], *arguments: *Arguments) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, work, *arguments)

    def _hash(self, password: str) -> str:
        return self._hasher.hash(password.encode(errors="surrogatepass"))

    def _verify(self, password_hash: str | None, password: str) -> bool:
        known = password_hash is not None
        if password_hash is None:
            if self._nobodys is None:
                self._nobodys = self._hash("nobody's password")
            password_hash = self._nobodys
        try:
            self._hasher.verify(password_hash, password.encode(errors="surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
        return known
