"""Fit a small recurrent net whose output is a mixture of normals for the next return. Needs torch.

It reads standardised returns and says how the next one is distributed; it learns by likelihood. The
weights are served by numpy (`inference/runtimes/path_sampling.py`): torch is for learning only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from inference.requests import Floats
from inference.runtimes.path_sampling import BOUND
from inference.runtimes.weights import Tensor
from inference.training.parallel.lesson import Array, Batch, Lesson, Weights
from inference.training.recipe import TooLittleData

HIDDEN, MIXTURES = 24, 3
SPAN, LEAD_IN = 120, 30
"""Returns of a piece of training; the first of them only fill the net's memory."""
BATCH = 64
_STEPS_PER_EPOCH = 50
"""Pieces are drawn with replacement; so many batches are drawn and read at once."""


def fit_gru(
    series: Sequence[Floats],
    *,
    steps: int,
    seed: int,
    fit: Callable[[Lesson], Weights],
) -> dict[str, Tensor]:
    """Return the weights that were learned from standardised returns, one array per instrument.

    Args:
        fit: learns the lesson, with one worker or several.

    Raises:
        TooLittleData: no instrument has enough returns.
    """
    pieces = [
        one[start : start + SPAN + 1]
        for one in series
        for start in range(0, len(one) - SPAN - 1, SPAN // 4)
    ]
    if len(pieces) < 10:
        raise TooLittleData(f"there are {len(pieces)} pieces of {SPAN} returns; 10 are needed")
    data = np.clip(np.stack(pieces), -BOUND, BOUND).astype(np.float32)
    settings = {"steps": steps, "seed": seed}
    found = fit(Lesson(f"{__name__}:{GruStudy.__name__}", settings, {"pieces": data}))
    return {name: one.astype(np.float64) for name, one in found.items()}


class GruStudy:
    """Implements `inference.training.parallel.lesson.Study`."""

    rate, decay, clip = 0.01, 0.0, 1.0
    steps_per_epoch = _STEPS_PER_EPOCH

    def __init__(
        self, torch: Any, settings: Mapping[str, Any], arrays: Mapping[str, Array]
    ) -> None:
        self._torch = torch
        self._pieces = arrays["pieces"]
        self._generator = torch.Generator().manual_seed(settings["seed"])
        self._drawn = 0
        self.steps: int = settings["steps"]

    def net(self) -> Any:
        """Implement `Study`."""
        torch = self._torch
        net = torch.nn.ModuleDict(
            {
                "gru": torch.nn.GRU(2, HIDDEN, batch_first=True),
                "head": torch.nn.Linear(HIDDEN, 3 * MIXTURES),
            }
        )
        reach = HIDDEN**-0.5
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.uniform_(-reach, reach, generator=self._generator)
            # Begin with a narrow, a middling and a wide normal.
            first = torch.tensor([1.0, 1.0, -1.0, 0.0, 0.0, 0.0, -0.7, 0.0, 0.8])
            net["head"].bias.copy_(first)
        return net

    def epoch(self, index: int) -> Sequence[Batch]:
        """Implement `Study`."""
        while self._drawn <= index:
            batches = [self._draw() for _ in range(self.steps_per_epoch)]
            self._drawn += 1
        return batches[: self.steps - index * self.steps_per_epoch]

    def cases(self, which: Batch) -> tuple[Array, ...]:
        """Implement `Study`."""
        return (self._pieces[which],)

    def losses(self, net: Any, *cases: Any) -> Any:
        """Return minus the log likelihood of each piece, per return after its lead-in."""
        (pieces,) = cases
        seen, following = pieces[:, :-1], pieces[:, 1:]
        hidden, _ = net["gru"](self._torch.stack([seen, seen.abs()], dim=2))
        found = _log_density(self._torch, net["head"](hidden), following)
        return -found[:, LEAD_IN:].mean(dim=1)

    def _draw(self) -> Batch:
        drawn: Batch = self._torch.randint(
            len(self._pieces), (BATCH,), generator=self._generator
        ).numpy()
        return drawn


def _log_density(torch: Any, out: Any, values: Any) -> Any:
    logits, means, logs = out.chunk(3, dim=2)
    deviations = logs.clamp(-6.0, 3.0).exp()
    scaled = (values.unsqueeze(2) - means) / deviations
    parts = (
        torch.log_softmax(logits, dim=2) - 0.5 * scaled**2 - deviations.log() - 0.9189385332046727
    )
    return torch.logsumexp(parts, dim=2)
