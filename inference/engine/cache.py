"""Which loaded models to keep, by how many bytes they hold and when they were last asked.

Pure bookkeeping: it says what to close, the caller closes it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class ModelCache(Generic[T]):
    """Least recently used goes first, but nothing that is in use."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, artifact: str) -> bool:
        return artifact in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    @property
    def bytes_held(self) -> int:
        """How much all of them hold."""
        return self._bytes

    def get(self, artifact: str) -> T | None:
        """Return a model and make it the most recently used."""
        found = self._held.get(artifact)
        if found is None:
            return None
        self._held.move_to_end(artifact)
        return found[0]

    def put(
        self, artifact: str, model: T, size: int, *, in_use: Callable[[str], bool]
    ) -> list[tuple[str, T]]:
        """Keep a model; return which others have to go. The new one stays, however large."""
        self.drop(artifact)
        self._held[artifact] = (model, size)
        self._bytes += size
        gone = []
        for other in list(self._held):
            if self._bytes <= self._max_bytes:
                break
            if other != artifact and not in_use(other):
                gone.append((other, self._held[other][0]))
                self.drop(other)
        return gone

    def drop(self, artifact: str) -> None:
        """Forget a model, if it is held."""
        _, size = self._held.pop(artifact, (None, 0))
        self._bytes -= size

    def clear(self) -> list[T]:
        """Forget all and return them."""
        models = [model for model, _ in self._held.values()]
        self._held.clear()
        self._bytes = 0
        return models
