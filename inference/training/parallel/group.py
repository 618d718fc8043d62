"""Workers that learn together: how their sums and their beginnings meet."""

from typing import Any, Protocol

from inference.errors import WorkerLost


class PeerLost(WorkerLost):
    """Another worker went away while this one waited for it: whoever started them knows more."""

    code = "peer_lost"


class Group(Protocol):
    """All workers of a training, as one of them sees them."""

    rank: int
    size: int

    def sum(self, tensor: Any) -> None:
        """Make every worker's tensor the sum of all.

        Raises:
            PeerLost: another worker is gone, or did not come in time.
        """
        ...

    def share(self, tensor: Any) -> None:
        """Make every worker's tensor that of the first one.

        Raises:
            PeerLost: another worker is gone, or did not come in time.
        """
        ...


class Single:
    """One worker."""

    rank, size = 0, 1

    def sum(self, tensor: Any) -> None:
        """It is the sum already."""

    def share(self, tensor: Any) -> None:
        """It is the first one's already."""


class Distributed:
    """Workers that `torch.distributed` has joined: by gloo on CPUs, by NCCL on cards."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._joined = torch.distributed
        self.rank: int = self._joined.get_rank()
        self.size: int = self._joined.get_world_size()

    def sum(self, tensor: Any) -> None:
        """Implement `Group`."""
        try:
            self._joined.all_reduce(tensor)
        except RuntimeError as broken:
            raise peer_lost(broken) from broken

    def share(self, tensor: Any) -> None:
        """Implement `Group`."""
        try:
            self._joined.broadcast(tensor, src=0)
        except RuntimeError as broken:
            raise peer_lost(broken) from broken


def peer_lost(broken: RuntimeError) -> PeerLost:
    """Return what torch's error means here."""
    said = " ".join(str(broken).split())[:200]
    return PeerLost(f"another worker of the training went away or did not come in time: {said}")
