"""Measure the market models on real prices, beside every baseline.

    python -m tests.studies.forecast_study             six US large caps, forecast from 2017 on
    python -m tests.studies.forecast_study --union     and about a hundred symbols of four markets
    python -m tests.studies.forecast_study --shipped   the five shipped symbols only, no network

Prints Markdown: the tables of docs/forecasts.md. Progress goes to the error stream. The tiers that
need an extra are measured where it is installed.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress as Bar

from app.services.market.bar_intake import BarIntake
from app.services.predictions.panels import series_of
from inference.cards import BaselineScore, Evaluation
from inference.datasets.market_features import VOLATILITY
from inference.datasets.market_targets import variance_ahead
from inference.panel import Panel, Series
from inference.requests import Floats
from inference.training.evaluation import losses
from inference.training.evaluation.walk_forward import Cases, Plan, cases_of, forecast
from inference.training.models.linear_models import fit_variance
from inference.training.recipe import Recipe, Trained, TrainingData
from inference.training.recipes.direction import DIRECTION_RECIPE
from inference.training.recipes.return_quantiles import RETURN_QUANTILES
from inference.training.recipes.variance import INPUTS, VARIANCE
from inference.training.recipes.volatility_regime import VOLATILITY_REGIME
from tools.market.breadth import PACKAGES, fetch_breadth
from tools.market.demo import FETCHED, load_demo, vendored_market

LEAST_BARS = 1000
US_SIX = tuple(FETCHED.names)
AS_OF = datetime(2026, 11, 26, tzinfo=UTC)
VOLUME_COLUMNS = ("volume", "volume_up", "volume_5", "volume_22", "burst", "burst_5")
MARKETS: dict[str, Callable[[str], bool]] = {
    "US large caps": lambda symbol: symbol in US_SIX,
    "US indexes": lambda symbol: symbol.startswith("^"),
    "A-shares": lambda symbol: symbol.endswith((".SZ", ".SS")),
    "Philippines": lambda symbol: symbol.endswith(".PS"),
}
UNION_FROM, UNION_UNTIL = "2015-01-01", np.datetime64("2018-12-31T23:59:59", "s")


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def read(args: argparse.Namespace) -> list[Series]:
    """Return daily series of at least 1,000 bars."""
    market = vendored_market()
    quiet = Console(stderr=True)
    with tempfile.TemporaryDirectory() as folder:
        if not args.shipped:
            await load_demo(market, market, Path(folder), on_progress=quiet.print)
        if args.union:
            intake = BarIntake(market, market, clock=lambda: datetime.now(UTC))
            for package in PACKAGES:
                for one in await fetch_breadth(package, on_progress=quiet.print):
                    await market.put(one.instrument)
                    await intake.take(one.instrument.symbol, one.timeframe, one.rows)
        found = []
        for instrument in await market.all():
            bars = await market.read(instrument.symbol, timeframe="1d")
            if len(bars) >= LEAST_BARS:
                found.append(series_of(bars))
        return found


class Study:
    """Trains recipes with a progress bar and prints what they measured."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar

    def train(self, recipe: Recipe, panel: Panel, **options: Any) -> Trained:
        """Train one model."""
        told = ", ".join(f"{name} {value}" for name, value in options.items())
        task = self._bar.add_task(f"{recipe.name} ({told}), {len(panel.series)} symbols", total=1.0)
        data = TrainingData(panel=panel, texts=None, as_of=AS_OF)
        began = time.monotonic()
        found = recipe.train(
            data, options, lambda share, words: self._bar.update(task, completed=share)
        )
        Console(stderr=True).print(f"{recipe.name} ({told}): {time.monotonic() - began:.0f} s")
        self._bar.remove_task(task)
        return found

    def variance(self, panel: Panel, test_from: str) -> None:
        """Print the variance tables of one panel."""
        for horizon in (1, 5):
            options = {"horizon": horizon, "test_from": test_from}
            ridge = self.train(VARIANCE, panel, **options).evaluation
            boosted = None
            if find_spec("xgboost"):
                boosted = self.train(
                    VARIANCE, panel, tier="boosted", garch=False, **options
                ).evaluation
            base = next(one.loss for one in ridge.baselines if one.name == "log-HAR")
            say(f"\n### Variance, {_bars(horizon)} ({_span(ridge)})\n")
            say("| model | QLIKE | ratio to log-HAR | skill of the ridge over it [95 %] | DM t |")
            say("|---|---|---|---|---|")
            for one in sorted(ridge.baselines, key=lambda one: -one.loss):
                say(
                    f"| {one.name} | {one.loss:.4f} | {one.loss / base:.3f} | "
                    f"{_skill(one.skill, one.skill_low, one.skill_high)} | {_t(one.dm_t)} |"
                )
            without = ablated(panel, horizon, test_from)
            say(f"| ridge without volume | {without:.4f} | {without / base:.3f} | | |")
            say(f"| **ridge** (`numpy`) | **{ridge.loss:.4f}** | **{ridge.loss / base:.3f}** | | |")
            if boosted is not None:
                trees = boosted.other["QLIKE of the trees alone"]
                say(f"| trees alone | {trees:.4f} | {trees / base:.3f} | | |")
                say(
                    f"| geometric mean of both (`boosted`) | {boosted.loss:.4f} | "
                    f"{boosted.loss / base:.3f} | | |"
                )
                best = boosted.best_baseline()
                say(
                    f"\n`boosted` over {best.name}: "
                    f"{_skill(best.skill, best.skill_low, best.skill_high)}."
                )
            say(f"\n{_groups(ridge)}\n\nIntervals of the ridge: {_coverage(ridge)}.")

    def quantiles(self, panel: Panel, test_from: str, horizons: Sequence[int]) -> None:
        """Print the tables of return quantiles."""
        for horizon in horizons:
            options = {"horizon": horizon, "test_from": test_from}
            found = self.train(RETURN_QUANTILES, panel, **options).evaluation
            say(f"\n### Return quantiles, {_bars(horizon)} ({_span(found)})\n")
            say("| model | pinball, bp | ratio to FHS | skill of ours over it [95 %] | DM t |")
            say("|---|---|---|---|---|")
            base = found.baselines[0].loss
            for one in sorted(found.baselines, key=lambda one: -one.loss):
                say(
                    f"| {one.name} | {1e4 * one.loss:.2f} | {one.loss / base:.3f} | "
                    f"{_skill(one.skill, one.skill_low, one.skill_high)} | {_t(one.dm_t)} |"
                )
            if find_spec("torch"):
                net = self.train(RETURN_QUANTILES, panel, tier="torch", **options).evaluation
                _row(f"net (`torch`), coverage {_coverage(net)}", net, base, net.best_baseline())
                blend = self.train(RETURN_QUANTILES, panel, tier="blend", **options).evaluation
                weight = blend.other["weight of the scale model"]
                _row(
                    f"blend (`blend`, weight of the scale {weight:g}), coverage {_coverage(blend)}",
                    blend,
                    base,
                    next(one for one in blend.baselines if one.name == "scale model alone"),
                )
            say(
                f"| **ridge scale × residual quantiles** (`numpy`), coverage {_coverage(found)} | "
                f"**{1e4 * found.loss:.2f}** | **{found.loss / base:.3f}** | | |"
            )

    def events(self, panel: Panel, test_from: str) -> None:
        """Print the tables of the regime and of direction."""
        rows: list[tuple[Recipe, int]] = [(VOLATILITY_REGIME, 5)]
        rows += [(DIRECTION_RECIPE, horizon) for horizon in (1, 5, 20)]
        say("\n### Events\n")
        say("| model | n | Brier | beside | its Brier | Brier skill [95 %] | DM t | AUC | ECE |")
        say("|---|---|---|---|---|---|---|---|---|")
        calibrated: list[tuple[str, Evaluation]] = []
        for recipe, horizon in rows:
            trained = self.train(recipe, panel, horizon=horizon, test_from=test_from)
            found = trained.evaluation
            calibrated.append((f"`{recipe.name}`, {_bars(horizon)}", found))
            for one in found.baselines:
                say(
                    f"| `{recipe.name}`, {_bars(horizon)} | {found.n:,} | {found.loss:.4f} | "
                    f"{one.name} | {one.loss:.4f} | "
                    f"{_skill(one.skill, one.skill_low, one.skill_high, digits=4)} | "
                    f"{_t(one.dm_t)} | {trained.performance.auc:.3f} | "
                    f"{found.calibration_error:.3f} |"
                )
        say("\n### Calibration, each method on forecasts that it had not seen\n")
        say("| model | method | Brier | log loss | ECE |\n|---|---|---|---|---|")
        for name, found in calibrated:
            for method in ("none", "platt", "isotonic"):
                say(
                    f"| {name} | {method} | {found.other[f'Brier score, {method}']:.4f} | "
                    f"{found.other[f'log loss, {method}']:.4f} | "
                    f"{found.other[f'calibration error, {method}']:.3f} |"
                )

    def union(self, series: Sequence[Series]) -> None:
        """Print what is left of the results on other markets and on all of them together."""
        for horizon in (1, 5):
            say(f"\n### Variance on other markets, {_bars(horizon)}\n")
            say(
                "| market | symbols | n | log-HAR | log-HAR by QLIKE | without volume | ridge | "
                "ratio to log-HAR | skill over the harder HAR [95 %] | DM t | symbols won | "
                "80 % interval covers |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
            )
            for market, belongs in MARKETS.items():
                chosen = tuple(one for one in series if belongs(one.symbol))
                if chosen:
                    self._union_row(market, Panel("1d", chosen), horizon, "")
            together = Panel("1d", tuple(series)).until(UNION_UNTIL)
            lasting = tuple(one for one in together.series if one.times[-1] >= _day(UNION_FROM))
            together = Panel("1d", tuple(one for one in lasting if len(one) >= LEAST_BARS))
            self._union_row("all, one model, 2015–2018", together, horizon, UNION_FROM)

    def _union_row(self, market: str, panel: Panel, horizon: int, test_from: str) -> None:
        options = {"horizon": horizon, "garch": False, "test_from": test_from}
        found = self.train(VARIANCE, panel, **options).evaluation
        score = {one.name: one for one in found.baselines}
        har, fair = score["log-HAR"], score["log-HAR fitted to QLIKE"]
        harder = min(har, fair, key=lambda one: one.skill)
        without = ablated(panel, horizon, test_from)
        won = float(np.mean([skill > 0.0 for skill in found.by_symbol.values()]))
        say(
            f"| {market} | {len(panel.series)} | {found.n:,} | {har.loss:.4f} | {fair.loss:.4f} | "
            f"{without:.4f} | {found.loss:.4f} | {found.loss / har.loss:.3f} | "
            f"{_skill(harder.skill, harder.skill_low, harder.skill_high)} | {_t(harder.dm_t)} | "
            f"{100 * won:.0f} % | {100 * found.coverage['0.80']:.1f} % |"
        )

    def others(self, series: Sequence[Series]) -> None:
        """Print the other models on other markets."""
        say("\n### Other models on other markets, 5 bars\n")
        say("| model | market | n | loss | hardest baseline | skill [95 %] | DM t | notes |")
        say("|---|---|---|---|---|---|---|---|")
        for market, belongs in MARKETS.items():
            chosen = tuple(one for one in series if belongs(one.symbol))
            recipes: list[Recipe] = [RETURN_QUANTILES, VOLATILITY_REGIME, DIRECTION_RECIPE]
            for recipe in recipes:
                if not chosen:
                    continue
                trained = self.train(recipe, Panel("1d", chosen), horizon=5)
                found = trained.evaluation
                best = found.best_baseline()
                area = trained.performance.auc
                note = _coverage(found) if found.coverage else f"AUC {area or 0.0:.3f}"
                say(
                    f"| `{recipe.name}` | {market} | {found.n:,} | {found.loss:.4g} | "
                    f"{best.name} | "
                    f"{_skill(best.skill, best.skill_low, best.skill_high, digits=4)} | "
                    f"{_t(best.dm_t)} | {note} |"
                )


def ablated(panel: Panel, horizon: int, test_from: str) -> float:
    """Return the ridge's QLIKE without the columns about volume."""
    kept = tuple(name for name in INPUTS if name not in VOLUME_COLUMNS)
    cases = cases_of(panel, VOLATILITY, variance_ahead, horizon=horizon)

    def fit(train: Cases, test: Cases) -> Floats:
        model = fit_variance(train.columns(*kept), train.outcomes, ridge=10.0)
        return np.exp(model(test.columns(*kept)))

    found, _ = forecast(cases, Plan(test_from=test_from), fit)
    tested = np.isfinite(found)
    return float(losses.qlike(cases.outcomes[tested], found[tested]).mean())


def _row(name: str, found: Evaluation, base: float, over: BaselineScore) -> None:
    """Print a row of return quantiles, beside one baseline."""
    say(
        f"| {name} | {1e4 * found.loss:.2f} | {found.loss / base:.3f} | over {over.name}: "
        f"{_skill(over.skill, over.skill_low, over.skill_high)} | {_t(over.dm_t)} |"
    )


def _day(text: str) -> np.datetime64:
    return np.datetime64(text, "s")


def _bars(horizon: int) -> str:
    return "1 bar ahead" if horizon == 1 else f"{horizon} bars ahead"


def _span(found: Evaluation) -> str:
    return (
        f"n {found.n:,}, {found.first.date()} to {found.last.date()}, {found.n_refits} refits, "
        f"purge and embargo {found.purge_bars} bars"
    )


def _skill(skill: float, low: float, high: float, *, digits: int = 3) -> str:
    return f"{skill:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def _t(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f}"


def _coverage(found: Evaluation) -> str:
    listed = sorted(found.coverage.items())
    return ", ".join(f"{100 * share:.1f} % of {100 * float(level):g} %" for level, share in listed)


def _groups(found: Evaluation) -> str:
    best = found.best_baseline().name
    parts = [
        ", ".join(f"{name} {skill:+.2f}" for name, skill in group.items())
        for group in (found.by_year, found.by_symbol)
    ]
    return f"Skill of the ridge over {best}, by year: {parts[0]}. By symbol: {parts[1]}."


def main(args: argparse.Namespace) -> None:
    """Read, study, print."""
    series = asyncio.run(read(args))
    shown = [one for one in series if args.shipped or one.symbol in US_SIX]
    test_from = "" if args.shipped else "2017-01-01"
    panel = Panel("1d", tuple(shown))
    say(f"## {', '.join(one.symbol for one in shown)}")
    with Bar(console=Console(stderr=True), transient=True) as bar:
        study = Study(bar)
        study.variance(panel, test_from)
        study.quantiles(panel, test_from, (1, 5, 20))
        study.events(panel, test_from)
        if args.union:
            say(f"\n## {len(series)} symbols of {len(MARKETS)} markets")
            study.union(series)
            study.others(series)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--union", action="store_true", help="also the further symbols")
    parser.add_argument("--shipped", action="store_true", help="only the symbols that ship")
    main(parser.parse_args())
