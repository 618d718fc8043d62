"""The loop in which a worker learns: its share of each batch, and every step together.

Each worker takes its own cases of every batch, sums their gradients, and all sums are added up
together with how many cases were in them. Divided by that number the gradient is the one of the
whole batch, however unevenly the cases were shared out: one worker and many make the same steps, up
to the rounding of sums.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from inference.runtimes.options import exact_float32
from inference.training.parallel.checkpoint import Checkpoint
from inference.training.parallel.group import Group
from inference.training.parallel.lesson import Batch, CardFull, Diverged, Lesson, Study, Weights

LOOK_EVERY = 10
"""Steps between looks at a card: whether numbers are finite, and what there is to tell."""
CHECKPOINT_EVERY_S = 5.0
_TELL_EVERY_S = 5.0
"""So often something is told of steps that take long."""
Tell = Callable[[int, int], None]
"""Takes the steps that were made and all there are."""


def learn(
    torch: Any,
    lesson: Lesson,
    *,
    device: str,
    group: Group,
    checkpoint: Path | None = None,
    checkpoint_every_s: float = CHECKPOINT_EVERY_S,
    tell: Tell = lambda step, steps: None,
) -> Weights:
    """Return the weights that were learned, the same in every worker.

    Args:
        checkpoint: where the first worker keeps what it needs to go on; it begins from there.
        tell: called in the first worker.

    Raises:
        Diverged: gradients were not finite.
        CardFull: not even one case fits into the card.
        MemoryError: the same of the process.
        PeerLost: another worker went away.
    """
    learner = _Learner(torch, lesson.begin(torch), device=device, group=group)
    leads = group.rank == 0
    learner.take_up(Checkpoint.read(checkpoint) if leads else None)
    kept = told = time.monotonic()
    study = learner.study
    while learner.step < study.steps:
        epoch, first = divmod(learner.step, study.steps_per_epoch)
        shard = _Shard(torch, study, study.epoch(epoch)[first:], group, pinned=learner.on_card)
        for own in shard:
            learner.make_step(own)
            ended = learner.step == study.steps
            if not (ended or learner.step % LOOK_EVERY == 0):
                if leads and time.monotonic() - told >= _TELL_EVERY_S:
                    told = time.monotonic()
                    tell(learner.step, study.steps)
                continue
            learner.check()
            if leads:
                told = time.monotonic()
                tell(learner.step, study.steps)
                if checkpoint and not ended and time.monotonic() - kept >= checkpoint_every_s:
                    learner.checkpoint().write(checkpoint)
                    kept = time.monotonic()
    weights = learner.weights()
    if leads and checkpoint:
        Checkpoint(study.steps, weights, {}, done=True).write(checkpoint)
    return weights


class _Shard:
    """A worker's own cases of the batches of an epoch, read at once."""

    def __init__(
        self, torch: Any, study: Study, batches: Any, group: Group, *, pinned: bool
    ) -> None:
        own: list[Batch] = [batch[group.rank :: group.size] for batch in batches]
        self._ends = np.cumsum([0, *(len(one) for one in own)])
        read = study.cases(np.concatenate(own))
        tensors = [torch.from_numpy(np.array(one, dtype=np.float32)) for one in read]
        self._tensors = [one.pin_memory() for one in tensors] if pinned else tensors

    def __iter__(self) -> Any:
        for start, stop in zip(self._ends[:-1], self._ends[1:], strict=True):
            yield [one[start:stop] for one in self._tensors]


class _Learner:
    """Network, optimizer and gradients of one worker."""

    def __init__(self, torch: Any, study: Study, *, device: str, group: Group) -> None:
        self._torch = torch
        self.study = study
        self._device = device
        self._group = group
        self.on_card = device != "cpu"
        if self.on_card:
            exact_float32(torch)
        self.step = 0
        self._pieces = 1
        self._net = study.net().to(device)
        self._named: dict[str, Any] = dict(self._net.named_parameters())
        # One vector holds all gradients, the sum of losses and the number of cases: one message.
        count = sum(one.numel() for one in self._named.values())
        self._sums = torch.zeros(count + 2, device=device)
        place = 0
        for parameter in self._named.values():
            stop = place + parameter.numel()
            parameter.grad = self._sums[place:stop].view_as(parameter)
            place = stop
        self._finite = torch.ones((), dtype=torch.bool, device=device)
        self._optimizer = torch.optim.AdamW(
            self._named.values(), lr=study.rate, weight_decay=study.decay
        )

    def take_up(self, found: Checkpoint | None) -> None:
        """Begin where a checkpoint ended; without one, from the first worker's weights."""
        torch = self._torch
        step = torch.tensor(found.step if found else 0, dtype=torch.int64, device=self._device)
        self._group.share(step)
        self.step = int(step.item())
        for name, parameter in self._named.items():
            with torch.no_grad():
                if found:
                    parameter.copy_(torch.from_numpy(found.weights[name].copy()))
                self._group.share(parameter.data)
            if not 0 < self.step < self.study.steps:
                continue
            state = self._optimizer.state[parameter]
            state["step"] = torch.tensor(float(self.step))
            for moment in ("exp_avg", "exp_avg_sq"):
                state[moment] = torch.zeros_like(parameter)
                if found:
                    state[moment].copy_(torch.from_numpy(found.moments[f"{moment}/{name}"].copy()))
                self._group.share(state[moment])

    def make_step(self, own: list[Any]) -> None:
        """Follow the gradient of a whole batch, of which these cases are this worker's."""
        self._sum_up(own)
        sums = self._sums
        self._group.sum(sums)
        sums[:-2].div_(sums[-1])
        self._finite &= self._torch.isfinite(sums[:-1]).all()
        if not self.on_card:
            self.check()
        if self.study.clip is not None:
            self._torch.nn.utils.clip_grad_norm_(self._named.values(), self.study.clip)
        rate = 0.5 * self.study.rate * (1.0 + math.cos(math.pi * self.step / self.study.steps))
        for options in self._optimizer.param_groups:
            options["lr"] = rate
        self._optimizer.step()
        self.step += 1

    def check(self) -> None:
        """Raise `Diverged` if a gradient or a loss was not finite; on a card this waits for it."""
        if not self._finite.item():
            at = f"by step {self.step}" if self.on_card else f"at step {self.step + 1}"
            raise Diverged(
                f"gradients were not finite {at} of {self.study.steps}: the data hold numbers that "
                "this network cannot learn from, or it learns too fast"
            )

    def checkpoint(self) -> Checkpoint:
        """Return what it needs to go on."""
        moments = {
            f"{moment}/{name}": _numbers(self._optimizer.state[parameter][moment])
            for name, parameter in self._named.items()
            for moment in ("exp_avg", "exp_avg_sq")
        }
        return Checkpoint(self.step, self.weights(), moments)

    def weights(self) -> Weights:
        """Return the weights as they are."""
        return {name: _numbers(one) for name, one in self._named.items()}

    def _sum_up(self, own: list[Any]) -> None:
        """Sum gradients and losses of the own cases: in pieces, where memory asks for it."""
        count = len(own[0])
        while True:
            self._sums.zero_()
            try:
                for start, stop in _pieces(count, self._pieces):
                    given = [one[start:stop].to(self._device, non_blocking=True) for one in own]
                    loss = self.study.losses(self._net, *given).sum()
                    loss.backward()
                    self._sums[-2] += loss.detach()
                self._sums[-1] = count
                return
            except RuntimeError as error:
                if not _is_for_memory(self._torch, error):
                    raise
                if self._pieces >= count:
                    raise self._too_large(error) from error
            # Outside of the handler, which holds on to what did not fit.
            self._pieces *= 2
            if self.on_card:
                self._torch.cuda.empty_cache()

    def _too_large(self, error: RuntimeError) -> Exception:
        if not self.on_card:
            return MemoryError(str(error))
        card = self._torch.cuda.get_device_name(self._device)
        return CardFull(
            f"{card} has too little free memory for one case of this training: take a smaller "
            "network, end what else uses the card, or train with device=cpu"
        )


def _pieces(count: int, pieces: int) -> list[tuple[int, int]]:
    size = max(1, -(-count // pieces))
    return [(start, min(start + size, count)) for start in range(0, count, size)]


def _is_for_memory(torch: Any, error: RuntimeError) -> bool:
    """Tell whether there was no memory; on the CPU torch has no class for that."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _numbers(tensor: Any) -> Any:
    return tensor.detach().cpu().numpy().copy()
