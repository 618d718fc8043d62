"""Where a network is trained: how many workers, on which device, said in words for people."""

from typing import Any

import msgspec

from inference.errors import BadInput

DEVICES = ("auto", "cpu", "cuda")
MOST_WORKERS = 64


class Place(msgspec.Struct, frozen=True, rename="camel"):
    """Workers and what they compute on."""

    workers: int
    device: str
    """cpu or cuda; each worker has a card of its own there."""
    card: str | None = None
    """What the first card calls itself."""

    def in_words(self) -> str:
        """Return it as progress tells it."""
        many = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        if self.device == "cpu":
            return f"{many} on the CPU"
        return f"{many} on {self.card or self.device}"

    def device_of(self, rank: int) -> str:
        """Return torch's name of a worker's device."""
        return "cpu" if self.device == "cpu" else f"cuda:{rank}"


def check_place(workers: int, device: str) -> None:
    """Refuse what cannot be anywhere.

    Raises:
        BadInput: says what is allowed.
    """
    if not 1 <= workers <= MOST_WORKERS:
        raise BadInput(f"the option 'workers' is {workers}; it is from 1 to {MOST_WORKERS}")
    if device not in DEVICES:
        raise BadInput(f"the option 'device' is {device!r}; it is one of {', '.join(DEVICES)}")


def place_for(torch: Any, workers: int, device: str) -> Place:
    """Return where to train on this machine: on cards if there is one for every worker, else here.

    Raises:
        BadInput: cards were asked for, and there are too few.
    """
    check_place(workers, device)
    if device == "cpu":
        return Place(workers, "cpu")
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if cards >= workers:
        return Place(workers, "cuda", torch.cuda.get_device_name(0))
    if device == "cuda":
        there = "no card that PyTorch can use" if not cards else f"{cards} card(s)"
        raise BadInput(
            f"the option 'device' is 'cuda' with {workers} worker(s), which need a card each; here "
            f"is {there}. 'auto' falls back to the CPU"
        )
    return Place(workers, "cpu")
