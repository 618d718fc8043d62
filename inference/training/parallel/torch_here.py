"""PyTorch for learning: an extra, imported when a recipe asks for it; and one thread for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from inference.errors import MissingFramework


def require_torch() -> Any:
    """Return PyTorch.

    Raises:
        MissingFramework: it is not installed.
    """
    try:
        import torch  # noqa: PLC0415  an extra
    except ImportError:
        raise MissingFramework("PyTorch", extra="torch") from None
    return torch


@contextmanager
def one_thread(torch: Any) -> Iterator[None]:
    """Compute on one thread: sums keep their order, so a seed gives the same weights again.

    Nets this small gain nothing from a second thread, which waits by spinning.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
