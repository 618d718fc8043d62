"""The architectures `fhs_paths` and `gru_mdn` of the runtime `numpy`: they sample paths of returns.

Each row is answered from its own random numbers, which depend on the seed alone (the row's column
`seed`, else the member's option): the same row gives the same paths, whatever is beside it.

`fhs_paths`  filtered historical simulation: blocks of past standardised returns, times a volatility
             that feeds on the returns that were drawn
`gru_mdn`    a recurrent net whose output is a mixture of normals for the next return
"""

from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from inference.bundle import Member
from inference.errors import BadModel, ModelFailed
from inference.requests import Floats, Rows
from inference.runtimes.columns import numbers
from inference.runtimes.files import member_file
from inference.runtimes.runtime import Loaded, Outputs
from inference.runtimes.weights import Tensor, check_shapes, read_weights

SEED = "seed"
FHS, GRU = "fhs_paths", "gru_mdn"
ARCHITECTURES = (FHS, GRU)
Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_LARGEST_MOVE = 1.5
"""A log return beyond it (a fall of 78 % in a bar) is drawn as this."""


class FhsOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `fhs_paths`. Its columns: log fast variance, log slow variance, perhaps seed."""

    residuals: Count
    """How many past standardised returns there are."""
    pull: Share
    """Weight of the slow variance in the first bar's."""
    keep: Share
    """Share of its distance to the slow variance that the variance keeps from bar to bar."""
    decay: Share
    """How much of itself the variance keeps when it takes in a return."""
    block: Annotated[float, msgspec.Meta(ge=1.0, le=1000.0)]
    """Mean length of a block, bars."""
    paths: Count
    steps: Count
    seed: int = 0


class GruOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `gru_mdn`. Its columns: the last returns, log slow variance, perhaps seed."""

    window: Count
    hidden: Count
    mixtures: Count
    paths: Count
    steps: Count
    seed: int = 0


def load_paths(folder: Path, member: Member) -> Loaded:
    """Return the sampler that the member declares.

    Raises:
        BadModel: its options or its weights do not fit.
    """
    path = member_file(folder, member)
    tensors = read_weights(path)
    try:
        if member.architecture == FHS:
            fhs = msgspec.convert(member.options, FhsOptions)
            check_shapes(path.name, tensors, dict.fromkeys(("z", "breaks"), (fhs.residuals,)))
            return FhsPaths(member, fhs, tensors)
        gru = msgspec.convert(member.options, GruOptions)
    except msgspec.ValidationError as error:
        raise BadModel(
            f"model {member.name!r}: options of {member.architecture!r}: {error}"
        ) from None
    check_shapes(path.name, tensors, gru_shapes(gru.hidden, gru.mixtures))
    return GruPaths(member, gru, tensors)


def gru_shapes(hidden: int, mixtures: int) -> dict[str, tuple[int, ...]]:
    """Return the tensors of `gru_mdn`, in torch's order (reset, update, new)."""
    return {
        "gru.weight_ih_l0": (3 * hidden, 2),
        "gru.weight_hh_l0": (3 * hidden, hidden),
        "gru.bias_ih_l0": (3 * hidden,),
        "gru.bias_hh_l0": (3 * hidden,),
        "head.weight": (3 * mixtures, hidden),
        "head.bias": (3 * mixtures,),
    }


class _Sampler:
    """What both have in common."""

    def __init__(self, member: Member, tensors: dict[str, Tensor], *, columns: int, seed: int):
        given = len(member.columns or ())
        if given not in (columns, columns + 1) or (
            given == columns + 1 and (member.columns or ())[-1] != SEED
        ):
            raise BadModel(
                f"model {member.name!r} must name {columns} columns, and perhaps {SEED!r} after "
                f"them; it names {given}"
            )
        self._member = msgspec.structs.replace(member, columns=(member.columns or ())[:columns])
        self._seeded = given > columns
        self._seed = seed
        self._size = sum(tensor.nbytes for tensor in tensors.values())

    @property
    def size_bytes(self) -> int:
        """The size of its weights."""
        return self._size

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Return sampled paths."""
        return Outputs(paths=self.paths(rows))

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads, in order."""
        return (*(self._member.columns or ()), *([SEED] if self._seeded else []))

    def paths(self, rows: Rows) -> Floats:
        """Return paths of log returns, shape (rows, paths, steps)."""
        matrix = numbers(rows, self._member)
        seeds = self._seeds(rows)
        with np.errstate(over="raise", invalid="raise"):
            try:
                paths = [self._sample(row, seed) for row, seed in zip(matrix, seeds, strict=True)]
            except FloatingPointError as error:
                raise ModelFailed(f"{self._member.name}: a path ran away: {error}") from None
        return np.clip(np.stack(paths), -_LARGEST_MOVE, _LARGEST_MOVE)

    def close(self) -> None:
        """Nothing outlives the object."""

    def _seeds(self, rows: Rows) -> list[int]:
        if not self._seeded or SEED not in rows.names:
            return [self._seed] * len(rows)
        given = rows.numbers[:, rows.names.index(SEED)]
        return [self._seed if np.isnan(one) else abs(int(one)) for one in given]

    def _sample(self, row: Floats, seed: int) -> Floats:
        raise NotImplementedError


class FhsPaths(_Sampler):
    """Filtered historical simulation."""

    def __init__(self, member: Member, options: FhsOptions, tensors: dict[str, Tensor]):
        super().__init__(member, tensors, columns=2, seed=options.seed)
        self._options = options
        self._z = tensors["z"].astype(np.float64)
        self._breaks = tensors["breaks"] > 0.5

    def _sample(self, row: Floats, seed: int) -> Floats:
        options = self._options
        at = draw_blocks(
            self._breaks, options.block, paths=options.paths, steps=options.steps, seed=seed
        )
        fast, slow = np.exp(np.clip(row, -40.0, 5.0))
        first = (1.0 - options.pull) * fast + options.pull * slow
        return feed_back(self._z[at], first, slow, keep=options.keep, decay=options.decay)


def draw_blocks(breaks: Tensor, block: float, *, paths: int, steps: int, seed: int) -> np.ndarray:
    """Return places in the past, shape (paths, steps): runs of about `block`, then a jump.

    The stationary bootstrap of Politis and Romano (1994). `breaks` is true at the last place of
    each instrument: what follows it is another's, and never follows.
    """
    dice = np.random.default_rng(seed)
    count = len(breaks)
    fresh = dice.integers(0, count, size=(steps, paths))
    jumps = dice.random((steps, paths)) < 1.0 / block
    at = np.empty((steps, paths), dtype=np.int64)
    at[0] = fresh[0]
    for step in range(1, steps):
        before = at[step - 1]
        at[step] = np.where(jumps[step] | breaks[before], fresh[step], (before + 1) % count)
    return at.T


def feed_back(z: Floats, first: float, slow: float, *, keep: float, decay: float) -> Floats:
    """Return returns: each standardised one times a volatility that remembers those before it.

    The variance begins at `first`, takes in each return, and drifts back to `slow`.
    """
    returns = np.empty_like(z)
    variance = np.full(len(z), first)
    for step in range(z.shape[1]):
        returns[:, step] = np.sqrt(variance) * z[:, step]
        fed = decay * variance + (1.0 - decay) * returns[:, step] ** 2
        variance = slow + keep * (fed - slow)
    return returns


class GruPaths(_Sampler):
    """A recurrent net that goes on from the last returns by drawing its own next ones."""

    def __init__(self, member: Member, options: GruOptions, tensors: dict[str, Tensor]):
        super().__init__(member, tensors, columns=options.window + 1, seed=options.seed)
        self._options = options
        self._net = GruMixture(tensors, options.mixtures)

    def _sample(self, row: Floats, seed: int) -> Floats:
        options = self._options
        scale = float(np.exp(0.5 * np.clip(row[-1], -40.0, 5.0)))
        state = np.zeros((1, options.hidden))
        for move in row[:-1] / scale:
            state = self._net.step(np.full(1, move), state)
        dice = np.random.default_rng(seed)
        state = np.repeat(state, options.paths, axis=0)
        returns = np.empty((options.paths, options.steps))
        for step in range(options.steps):
            move = self._net.draw(state, dice)
            returns[:, step] = move * scale
            state = self._net.step(move, state)
        return returns


class GruMixture:
    """The arithmetic of the net: torch's GRU cell, and a mixture of normals on top."""

    def __init__(self, tensors: dict[str, Tensor], mixtures: int):
        weights = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
        self._into, self._into_bias = weights["gru.weight_ih_l0"].T, weights["gru.bias_ih_l0"]
        self._again, self._again_bias = weights["gru.weight_hh_l0"].T, weights["gru.bias_hh_l0"]
        self._out, self._out_bias = weights["head.weight"].T, weights["head.bias"]
        self._mixtures = mixtures

    def step(self, move: Floats, state: Floats) -> Floats:
        """Return the state after standardised returns, one per row."""
        held = np.clip(move, -BOUND, BOUND)
        seen = np.stack([held, np.abs(held)], axis=1) @ self._into + self._into_bias
        kept = state @ self._again + self._again_bias
        size = state.shape[1]
        reset = _sigmoid(seen[:, :size] + kept[:, :size])
        update = _sigmoid(seen[:, size : 2 * size] + kept[:, size : 2 * size])
        new = np.tanh(seen[:, 2 * size :] + reset * kept[:, 2 * size :])
        return np.asarray((1.0 - update) * new + update * state)

    def mixture(self, state: Floats) -> tuple[Floats, Floats, Floats]:
        """Return weights, means and deviations of the next standardised return."""
        out = state @ self._out + self._out_bias
        logits, means, logs = np.split(out, 3, axis=1)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True), means, np.exp(np.clip(logs, -6.0, 3.0))

    def draw(self, state: Floats, dice: np.random.Generator) -> Floats:
        """Return one standardised return per row."""
        weights, means, deviations = self.mixture(state)
        lots = dice.random((len(state), 1))
        chosen = (weights.cumsum(axis=1) < lots).sum(axis=1).clip(max=self._mixtures - 1)
        rows = np.arange(len(state))
        normal = dice.standard_normal(len(state))
        return np.asarray(means[rows, chosen] + deviations[rows, chosen] * normal)


BOUND = 10.0
"""Standardised returns are read within -10 .. 10."""


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))
