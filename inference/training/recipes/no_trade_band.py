"""When is a position far enough from its volatility target to pay for trading back?

A policy learned by its exact slope along past prices (`policy_gradient`): a band around the wanted
weight, wider or narrower with the level and trend of volatility. It forecasts no return and claims
no profit: it is judged by what being off the target and trading cost together, walk-forward, beside
always trading, a band of 10 %, and the best fixed band. Costs cannot be left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from inference.bundle import Bundle, Head, InputColumn, Member, PreprocessingStep
from inference.cards import Evaluation, Framework, ModelParameters, ModelPerformance, ModelType
from inference.datasets import volatility_target
from inference.datasets.volatility_target import BOUND, WARM_UP
from inference.errors import BadInput
from inference.panel import Panel, Times
from inference.requests import Floats
from inference.training.evaluation.comparison import LOSSES_FILE, CaseLosses
from inference.training.evaluation.paired import baseline_score, mean_difference
from inference.training.models.policy_gradient import descend
from inference.training.models.trading_band import (
    FEATURES,
    Costs,
    Days,
    Edges,
    edges_of,
    loss_and_slope,
    simulate,
)
from inference.training.recipe import (
    Progress,
    TooLittleData,
    Trained,
    TrainingData,
    with_defaults,
)

STRETCH, LEAD_IN = 250, 40
"""Bars of a stretch of training; bars before the graded ones, in which a position forms."""
_START = np.log([0.1, 0.1])
_STEPS, _RATE = 120, 0.08
LEAST_BARS = 1000
METRIC = "cost of being off target and of trading, bp a bar"
MEMORY = 10
"""Bars over which losses are taken to resemble each other: a position lasts."""
ALWAYS, TENTH, FIXED = "always rebalance", "fixed band of 10 %", "best fixed band"


@dataclass(frozen=True, eq=False)
class Path:
    """One instrument: what the target asks for at each bar, and how the price moved after it."""

    symbol: str
    times: Times
    wanted: Floats
    level: Floats
    trend: Floats
    moved: Floats


class NoTradeBand:
    """The recipe."""

    name = "no_trade_band"
    task = "no_trade_band"
    model_type: ModelType = "reinforcement"
    framework: Framework = "numpy"
    description = (
        "How much to trade back towards a volatility target, when trading costs and waiting does"
    )
    extras: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = {
        "target_volatility": 0.10,
        "most_weight": 1.5,
        "cost_bp": 10.0,
        "sharpe": 0.5,
        "test_share": 0.6,
    }

    def train(self, data: TrainingData, options: Mapping[str, Any], progress: Progress) -> Trained:
        """Learn the edges; see `inference.training.recipe.Recipe`."""
        chosen = with_defaults(self, options)
        panel = data.prices(self.name)
        costs = _costs(chosen, panel.bars_a_year)
        paths = paths_of(panel, target=chosen["target_volatility"], most=chosen["most_weight"])
        cuts = _cuts(paths, share=chosen["test_share"])
        done: dict[str, list[tuple[Times, Floats, Floats]]] = {}
        symbols: list[str] = []
        for index, (start, stop) in enumerate(pairwise(cuts)):
            progress(index / len(cuts), f"learning from what was known at {start}")
            edges, fixed = learn(stretches(paths, until=start), costs)
            test, times, names = _test(paths, start, stop)
            counted = test.counts > 0
            symbols += names[counted].tolist()
            for name, policy in {
                self.name: edges,
                ALWAYS: Edges(0.0, 0.0),
                TENTH: Edges(0.1, 0.1),
                FIXED: fixed,
            }.items():
                run = simulate(test, policy, costs)
                loss = 1e4 * (run.off + run.paid)[counted]
                done.setdefault(name, []).append((times[counted], loss, run.traded[counted]))
        progress(1.0 - 1.0 / len(cuts), "learning from everything")
        final, _ = learn(stretches(paths, until=None), costs)
        evaluation, metrics = _evaluate(self.name, done, panel.bars_a_year)
        progress(1.0, "done")
        return Trained(
            bundle=_bundle(panel, chosen),
            files={
                "policy.safetensors": policy_weights(final),
                LOSSES_FILE: _losses(symbols, done[self.name]).to_bytes(),
            },
            evaluation=evaluation,
            performance=ModelPerformance(),
            parameters=ModelParameters(
                input_shape=(1 + len(FEATURES),),
                output_shape=(1,),
                layers=2,
                neurons=2,
                learning_rate=_RATE,
                epochs=_STEPS,
                optimizer="Adam on exact slopes",
                loss_function="off-target variance + cost of trading",
                custom_params={
                    **chosen,
                    "aversion": costs.aversion,
                    "below": final.below,
                    "above": final.above,
                    "belowSlopes": list(final.below_slopes),
                    "aboveSlopes": list(final.above_slopes),
                },
            ),
            notes=(
                "It says how much to trade, never what will rise: it measures the cost of being "
                "off a volatility target, for an investor for whom that target is right.",
                f"Costs of {chosen['cost_bp']:g} bp of what is traded, one way, are assumed.",
            ),
            metrics=metrics,
        )


def _costs(chosen: Mapping[str, Any], bars_a_year: float) -> Costs:
    bounds = {
        "target_volatility": (0.01, 1.0),
        "most_weight": (0.1, 5.0),
        "cost_bp": (0.01, 500.0),
        "sharpe": (0.05, 5.0),
        "test_share": (0.1, 0.9),
    }
    for name, (low, high) in bounds.items():
        if not low <= chosen[name] <= high:
            raise BadInput(
                f"the option {name!r} is {chosen[name]:g}; it must be from {low:g} to {high:g}"
            )
    # A Sharpe ratio and the volatility that is right for it: their ratio is the aversion.
    return Costs(chosen["sharpe"] / chosen["target_volatility"], chosen["cost_bp"] / 1e4)


def paths_of(panel: Panel, *, target: float, most: float) -> list[Path]:
    """Return what a policy needs of each instrument that has enough bars.

    Raises:
        TooLittleData: none has.
    """
    found = []
    for series in panel.series:
        if len(series) < LEAST_BARS:
            continue
        needs = volatility_target.needs(
            series, target=target, most=most, bars_a_year=panel.bars_a_year
        )
        returns = volatility_target.total_returns(series)
        rows = slice(WARM_UP, len(series) - 1)
        found.append(
            Path(
                series.symbol,
                series.times[rows],
                needs["weight"][rows],
                needs["level"][rows],
                needs["trend"][rows],
                returns[1:][rows],
            )
        )
    if not found:
        most_bars = max((len(series) for series in panel.series), default=0)
        raise TooLittleData(
            f"the longest series has {most_bars} bars; {LEAST_BARS} are needed to learn and to test"
        )
    return found


def _cuts(paths: Sequence[Path], *, share: float) -> Times:
    """Return the moments between the test spans: about a year each, over the last `share`."""
    moments = np.unique(np.concatenate([path.times for path in paths]))
    first = int(len(moments) * (1.0 - share))
    spans = max(1, (len(moments) - first) // STRETCH)
    at = np.linspace(first, len(moments) - 1, spans + 1).astype(int)
    cuts: Times = moments[at]
    return cuts


def stretches(paths: Sequence[Path], *, until: np.datetime64 | None) -> Days:
    """Return the past in stretches of a year side by side; nothing moved after `until`."""
    pieces = []
    for path in paths:
        count = len(path.times)
        # The move after a bar is known at the next bar: that one must not lie after the cut.
        known = (
            count if until is None else int(np.searchsorted(path.times, until, side="right")) - 1
        )
        pieces += [
            (path, start, min(start + STRETCH, known))
            for start in range(0, known - LEAD_IN, STRETCH)
        ]
    if not pieces:
        raise TooLittleData(f"there are no {LEAD_IN} bars before {until} to learn from")
    return _side_by_side(
        [(path, max(0, start - LEAD_IN), start, stop) for path, start, stop in pieces]
    )


def _test(
    paths: Sequence[Path], start: np.datetime64, stop: np.datetime64
) -> tuple[Days, Times, NDArray[np.str_]]:
    pieces = []
    for path in paths:
        first, last = np.searchsorted(path.times, [start, stop], side="right")
        if last > first:
            pieces.append((path, max(0, int(first) - LEAD_IN), int(first), int(last)))
    days = _side_by_side(pieces)
    times = np.full(days.wanted.shape, np.datetime64(0, "s"))
    for column, (path, begin, _, last) in enumerate(pieces):
        times[: last - begin, column] = path.times[begin:last]
    names = np.broadcast_to(np.array([path.symbol for path, *_ in pieces]), times.shape)
    return days, times, names


def _side_by_side(pieces: Sequence[tuple[Path, int, int, int]]) -> Days:
    """Return pieces (path, where it begins, where grading begins, where it ends) as columns."""
    shape = (max(stop - begin for _, begin, _, stop in pieces), len(pieces))
    wanted, counts = np.ones(shape), np.zeros(shape)
    level, trend, moved = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for column, (path, begin, graded, stop) in enumerate(pieces):
        rows, size = slice(begin, stop), stop - begin
        wanted[:size, column] = path.wanted[rows]
        level[:size, column] = path.level[rows]
        trend[:size, column] = path.trend[rows]
        moved[:size, column] = path.moved[rows]
        counts[graded - begin : size, column] = 1.0
    return Days(wanted, level, trend, moved, counts)


def learn(days: Days, costs: Costs) -> tuple[Edges, Edges]:
    """Return the learned edges, and the best fixed symmetric band on the same past."""

    def objective(numbers: Floats) -> tuple[float, Floats]:
        return loss_and_slope(days, numbers, costs)

    fixed = descend(objective, _START[:1], steps=_STEPS // 2, rate=2 * _RATE)
    start = np.array([fixed[0], 0.0, 0.0, fixed[0], 0.0, 0.0])
    return edges_of(descend(objective, start, steps=_STEPS, rate=_RATE)), edges_of(fixed)


def policy_weights(edges: Edges) -> bytes:
    """Return the policy as the network it is: relu(lower - deviation) - relu(deviation - upper)."""
    packed: bytes = save(
        {
            "layers.0.weight": np.array(
                [
                    [-1.0, *(-slope for slope in edges.below_slopes)],
                    [1.0, *(-slope for slope in edges.above_slopes)],
                ]
            ),
            "layers.0.bias": np.array([-edges.below, -edges.above]),
            "layers.1.weight": np.array([[1.0, -1.0]]),
            "layers.1.bias": np.zeros(1),
        }
    )
    return packed


def _bundle(panel: Panel, chosen: Mapping[str, Any]) -> Bundle:
    columns = ("deviation", *FEATURES)
    return Bundle(
        name=NoTradeBand.name,
        recipe=NoTradeBand.name,
        task=NoTradeBand.task,
        model_type=NoTradeBand.model_type,
        framework=NoTradeBand.framework,
        inputs=tuple(InputColumn(name=name) for name in columns),
        steps=(
            PreprocessingStep(
                type="clip",
                parameters={
                    "low": dict.fromkeys(FEATURES, -BOUND),
                    "high": dict.fromkeys(FEATURES, BOUND),
                },
                order=1,
            ),
        ),
        members=(
            Member(
                name="policy",
                runtime="numpy",
                file="policy.safetensors",
                architecture="mlp",
                options={"inputs": 3, "hidden": [2], "outputs": 1, "activation": "relu"},
                columns=columns,
            ),
        ),
        head=Head(kind="value"),
        horizon_bars=1,
        timeframe=panel.timeframe,
        event=(
            "trade so that the logarithm of the weight held changes by this much now; 0 while "
            f"waiting is cheaper (target volatility {chosen['target_volatility']:.0%} a year, "
            f"cost {chosen['cost_bp']:g} bp)"
        ),
        unit="log change of the weight",
    )


def _losses(symbols: Sequence[str], parts: Sequence[tuple[Times, Floats, Floats]]) -> CaseLosses:
    return CaseLosses(
        METRIC,
        tuple(symbols),
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
    )


def _evaluate(
    name: str,
    done: Mapping[str, Sequence[tuple[Times, Floats, Floats]]],
    bars_a_year: float,
) -> tuple[Evaluation, dict[str, Any]]:
    times = np.concatenate([part[0] for part in done[name]])
    losses = {one: np.concatenate([part[1] for part in parts]) for one, parts in done.items()}
    rivals = [one for one in done if one != name]
    turnover = {
        one: float(np.concatenate([part[2] for part in parts]).mean() * bars_a_year)
        for one, parts in done.items()
    }
    yearly = bars_a_year / 100.0  # from basis points a bar to percent a year
    metrics: dict[str, Any] = {
        one: {"costPercentAYear": float(losses[one].mean()) * yearly, "turnover": turnover[one]}
        for one in done
    }
    for one in rivals:
        saved, low, high = mean_difference(losses[name], losses[one], times, horizon=MEMORY)
        metrics[one]["savedPercentAYear"] = saved * yearly
        metrics[one]["savedInterval"] = [low * yearly, high * yearly]
    years = times.astype("datetime64[Y]").astype(int) + 1970
    best = min(rivals, key=lambda one: float(losses[one].mean()))
    evaluation = Evaluation(
        metric=METRIC,
        loss=float(losses[name].mean()),
        n=len(times),
        n_refits=len(done[name]),
        first=_utc(times.min()),
        last=_utc(times.max()),
        purge_bars=1,
        baselines=tuple(
            baseline_score(one, losses[name], losses[one], times, horizon=MEMORY) for one in rivals
        ),
        by_year={
            str(year): float(
                1.0 - losses[name][years == year].mean() / losses[best][years == year].mean()
            )
            for year in np.unique(years)
        },
        other={f"turnover a year, {one}": value for one, value in turnover.items()},
        notes=(
            "Every policy starts each test span at its target, 40 bars before it is graded.",
            "The instruments are those that still existed at the end: survivors.",
        ),
    )
    return evaluation, {"policies": metrics}


def _utc(moment: np.datetime64) -> datetime:
    return datetime.fromtimestamp(int(moment.astype("datetime64[s]").astype(np.int64)), UTC)
