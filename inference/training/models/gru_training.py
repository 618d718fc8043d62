"""Fit a small recurrent net whose output is a mixture of normals for the next return. Needs torch.

It reads standardised returns and says how the next one is distributed; it learns by likelihood. The
weights are served by numpy (`inference/runtimes/path_sampling.py`): torch is for learning only.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from inference.requests import Floats
from inference.runtimes.path_sampling import BOUND
from inference.runtimes.weights import Tensor
from inference.training.models.torch_here import one_thread, require_torch
from inference.training.recipe import TooLittleData

HIDDEN, MIXTURES = 24, 3
SPAN, LEAD_IN = 120, 30
"""Returns of a piece of training; the first of them only fill the net's memory."""
_BATCH, _RATE = 64, 0.01


def fit_gru(
    series: Sequence[Floats],
    *,
    steps: int,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Tensor]:
    """Return the weights that were learned from standardised returns, one array per instrument.

    Raises:
        TooLittleData: no instrument has enough returns.
        MissingFramework: torch is not installed.
    """
    torch = require_torch()
    pieces = [
        one[start : start + SPAN + 1]
        for one in series
        for start in range(0, len(one) - SPAN - 1, SPAN // 4)
    ]
    if len(pieces) < 10:
        raise TooLittleData(f"there are {len(pieces)} pieces of {SPAN} returns; 10 are needed")
    with one_thread(torch):
        return _fit(torch, pieces, steps=steps, seed=seed, progress=progress)


def _fit(
    torch: Any,
    pieces: Sequence[Floats],
    *,
    steps: int,
    seed: int,
    progress: Callable[[float], None],
) -> dict[str, Tensor]:
    data = torch.tensor(np.clip(np.stack(pieces), -BOUND, BOUND), dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    net = _initial(torch, generator)
    optimizer = torch.optim.Adam(net.parameters(), lr=_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        some = data[torch.randint(len(data), (_BATCH,), generator=generator)]
        seen, following = some[:, :-1], some[:, 1:]
        hidden, _ = net["gru"](torch.stack([seen, seen.abs()], dim=2))
        loss = -_log_density(torch, net["head"](hidden), following)[:, LEAD_IN:].mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 10 == 0:
            progress(step / steps)
    return {
        name: np.ascontiguousarray(tensor.detach().double().numpy())
        for name, tensor in net.state_dict().items()
    }


def _initial(torch: Any, generator: Any) -> Any:
    """Return the net with weights drawn from the seed."""
    net = torch.nn.ModuleDict(
        {
            "gru": torch.nn.GRU(2, HIDDEN, batch_first=True),
            "head": torch.nn.Linear(HIDDEN, 3 * MIXTURES),
        }
    )
    reach = HIDDEN**-0.5
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.uniform_(-reach, reach, generator=generator)
        # Begin with a narrow, a middling and a wide normal.
        net["head"].bias.copy_(torch.tensor([1.0, 1.0, -1.0, 0.0, 0.0, 0.0, -0.7, 0.0, 0.8]))
    return net


def _log_density(torch: Any, out: Any, values: Any) -> Any:
    logits, means, logs = out.chunk(3, dim=2)
    deviations = logs.clamp(-6.0, 3.0).exp()
    scaled = (values.unsqueeze(2) - means) / deviations
    parts = (
        torch.log_softmax(logits, dim=2) - 0.5 * scaled**2 - deviations.log() - 0.9189385332046727
    )
    return torch.logsumexp(parts, dim=2)
