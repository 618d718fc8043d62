"""Two models on the same cases: which one forecast better, and by more than chance?

Both losses come from walk-forward evaluations, so neither model had seen a case when it forecast
it. Cases of one moment are averaged first: what happens to all on one day is one piece of luck.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from inference.errors import BadModel
from inference.monitoring.long_run import newey_west
from inference.panel import Times
from inference.requests import Floats

LOSSES_FILE = "evaluation.safetensors"
"""Where an artifact keeps the losses of its evaluation."""
FEWEST_MOMENTS = 30
SIGNIFICANT_T = 1.96

Verdict: TypeAlias = Literal["better", "worse", "alike", "not comparable"]


@dataclass(frozen=True, eq=False)
class CaseLosses:
    """The loss of every case of a walk-forward evaluation; smaller is better."""

    metric: str
    symbols: tuple[str, ...]
    """One a case."""
    times: Times
    """`datetime64[s]`, UTC: when each case was forecast."""
    losses: Floats

    def __post_init__(self) -> None:
        if not len(self.symbols) == len(self.times) == len(self.losses):
            raise ValueError("the columns of the case losses differ in length")

    def to_bytes(self) -> bytes:
        """Return them as a safetensors file."""
        names = sorted(set(self.symbols))
        at = {name: index for index, name in enumerate(names)}
        packed: bytes = save(
            {
                "symbol": np.array([at[one] for one in self.symbols], dtype=np.int64),
                "time": self.times.astype("datetime64[s]").astype(np.int64),
                "loss": np.ascontiguousarray(self.losses, dtype=np.float64),
            },
            # One entry: the library writes several in any order, and the same losses are to be
            # the same file.
            metadata={"cases": msgspec.json.encode([self.metric, names]).decode()},
        )
        return packed

    @classmethod
    def read(cls, path: str) -> "CaseLosses":
        """Return the losses of a file.

        Raises:
            FileNotFoundError: there is none.
            BadModel: it holds something else.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                said = (file.metadata() or {})["cases"]
                metric, names = msgspec.json.decode(said, type=tuple[str, list[str]])
                symbols = file.get_tensor("symbol")
                return cls(
                    metric=metric,
                    symbols=tuple(names[int(at)] for at in symbols),
                    times=file.get_tensor("time").astype("datetime64[s]"),
                    losses=file.get_tensor("loss").astype(np.float64),
                )
        except FileNotFoundError:
            raise
        except (SafetensorError, KeyError, IndexError, ValueError, msgspec.MsgspecError) as wrong:
            raise BadModel(f"{LOSSES_FILE} does not hold the losses of cases: {wrong}") from wrong


class Comparison(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a new model did beside an older one."""

    verdict: Verdict
    """Of the new one."""
    metric: str
    n: int
    """Cases that both forecast."""
    moments: int
    new_loss: float | None = None
    old_loss: float | None = None
    t: float | None = None
    """Of the mean difference with HAC errors: negative, the new one is better."""
    first: datetime | None = None
    last: datetime | None = None

    def in_words(self) -> str:
        """Say it in one sentence."""
        if self.verdict == "not comparable":
            return f"they share only {self.n:,} cases at {self.moments:,} moments"
        return (
            f"{self.metric} {self.new_loss:.4g} against {self.old_loss:.4g} on the same "
            f"{self.n:,} cases (t {self.t:+.1f})"
        )


def compare(new: CaseLosses, old: CaseLosses, *, overlap: int = 1) -> Comparison:
    """Compare two models on the cases that both forecast.

    `overlap` is how many bars a forecast reaches ahead: so many neighbours share their luck.
    """
    ours, theirs = _by_case(new), _by_case(old)
    shared = sorted(ours.keys() & theirs.keys())
    moments = len({at for at, _ in shared})
    if new.metric != old.metric or moments < FEWEST_MOMENTS:
        return Comparison(
            verdict="not comparable", metric=new.metric, n=len(shared), moments=moments
        )
    pairs = np.array([(ours[case], theirs[case]) for case in shared])
    times = np.array([at for at, _ in shared])
    difference = _mean_by_moment(times, pairs[:, 0] - pairs[:, 1])
    t = hac_t(difference, lags=max(0, overlap - 1))
    verdict: Verdict = "alike"
    if abs(t) >= SIGNIFICANT_T:
        verdict = "better" if t < 0 else "worse"
    return Comparison(
        verdict=verdict,
        metric=new.metric,
        n=len(shared),
        moments=moments,
        new_loss=float(pairs[:, 0].mean()),
        old_loss=float(pairs[:, 1].mean()),
        t=t,
        first=datetime.fromtimestamp(int(times[0]), UTC),
        last=datetime.fromtimestamp(int(times[-1]), UTC),
    )


def hac_t(difference: Floats, *, lags: int) -> float:
    """Return the mean over its Newey-West error, with twice `lags` neighbours; 0 where all is 0."""
    variance = newey_west(difference, 2 * lags)
    mean = float(difference.mean())
    if variance <= 0:
        return 0.0 if mean == 0 else float(np.sign(mean)) * float("inf")
    return mean / float(np.sqrt(variance / len(difference)))


def _by_case(losses: CaseLosses) -> dict[tuple[int, str], float]:
    seconds = losses.times.astype("datetime64[s]").astype(np.int64)
    return {
        (int(at), symbol): float(loss)
        for at, symbol, loss in zip(seconds, losses.symbols, losses.losses, strict=True)
        if np.isfinite(loss)
    }


def _mean_by_moment(times: NDArray[np.int64], values: Floats) -> Floats:
    _, where, counts = np.unique(times, return_inverse=True, return_counts=True)
    means: Floats = np.bincount(where, weights=values) / counts
    return means
