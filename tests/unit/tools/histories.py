"""Price histories of every temper, for property tests: walks, jumps, standstills, silence."""

import numpy as np
from hypothesis import strategies as st

from tools.analytics.prices import Floats, Prices


def prices_of(
    close: Floats,
    *,
    spread: Floats | float = 0.01,
    volume: Floats | None = None,
    total: Floats | None = None,
) -> Prices:
    """Return daily prices that close like this; a `spread` of 0 gives bars without a range."""
    count = len(close)
    opened = np.concatenate([close[:1], close[:-1]]) if count else close
    wide = np.broadcast_to(np.asarray(spread, dtype=np.float64), count)
    still = wide == 0.0
    opened = np.where(still, close, opened)
    return Prices(
        days=np.datetime64("2001-01-01", "s") + np.arange(count) * np.timedelta64(86400, "s"),
        open=opened,
        high=np.maximum(opened, close) * (1 + wide),
        low=np.minimum(opened, close) * (1 - wide),
        close=close,
        volume=np.full(count, 1e6) if volume is None else volume,
        total=close if total is None else total,
    )


def walk(count: int, *, seed: int = 0, start: float = 100.0, sigma: float = 0.02) -> Floats:
    rng = np.random.default_rng(seed)
    steps: Floats = start * np.exp(np.cumsum(rng.normal(0, sigma, count)))
    return steps


KINDS = ("walk", "calm", "still", "no range", "jump", "silent", "rise", "fall")


@st.composite
def histories(draw: st.DrawFn, *, most: int = 5) -> Prices:
    """Draw stretches of different temper, one after the other, at some price level."""
    level = draw(st.sampled_from([1e-4, 0.37, 25.0, 1000.0, 123456.0]))
    stretches = draw(
        st.lists(
            st.tuples(st.sampled_from(KINDS), st.integers(1, 90), st.integers(0, 2**32 - 1)),
            min_size=1,
            max_size=most,
        )
    )
    close, spread, volume = [level], [0.01], [1e6]
    for kind, count, seed in stretches:
        rng = np.random.default_rng(seed)
        sigma = {"calm": 1e-4, "still": 0.0}.get(kind, 0.02)
        moves = rng.normal(0, sigma, count)
        if kind == "jump":
            moves = np.zeros(count)
            moves[0] = rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 1.5)
        elif kind in ("rise", "fall"):
            moves = np.abs(moves) * (1 if kind == "rise" else -1)
        close.extend(close[-1] * np.exp(np.cumsum(moves)))
        spread.extend(np.where(kind in ("no range", "still"), 0.0, rng.uniform(0, 0.02, count)))
        volume.extend(
            np.zeros(count) if kind == "silent" else np.round(rng.lognormal(13, 1, count))
        )
    return prices_of(np.array(close), spread=np.array(spread), volume=np.array(volume))
