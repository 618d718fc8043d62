"""Which paths could the price take over the next bars, jointly over all of them?

Two tiers. `fhs` (numpy): blocks of past standardised returns times a volatility that feeds on what
was drawn. `gru` (learned with torch, served by numpy): a recurrent net that says how the next
return is distributed and goes on from its own draws. Judged walk-forward by the energy score of
whole paths beside bootstraps of past returns, in blocks and one by one; the net beside `fhs` too.
A path is no forecast of where the price goes: its middle has no measured edge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from safetensors.numpy import save

from inference.bundle import Bundle, Head, InputColumn
from inference.cards import Evaluation, Framework, ModelParameters, ModelPerformance, ModelType
from inference.datasets.path_views import PATH_STATE, RECENT_RETURNS, WINDOW
from inference.errors import BadInput
from inference.panel import Panel, Times
from inference.requests import Floats
from inference.runtimes.path_sampling import GRU, SEED, GruMixture
from inference.training.evaluation.comparison import LOSSES_FILE, CaseLosses
from inference.training.evaluation.paired import baseline_score
from inference.training.evaluation.path_scores import (
    energy_score,
    log_mixture,
    log_normal,
    log_student5,
    stylised_facts,
)
from inference.training.evaluation.walk_forward import moment
from inference.training.models.fitting import OPTIONS, Fitting, check_workers, fitting
from inference.training.models.path_models import (
    BLOCK,
    Bootstrap,
    Filtered,
    History,
    Recurrent,
    Sampler,
    fit_filtered,
    fit_recurrent,
    histories,
    standardised,
)
from inference.training.recipe import (
    Progress,
    TooLittleData,
    Trained,
    TrainingData,
    with_defaults,
)

TIERS = {"fhs": "filtered historical simulation", "gru": "recurrent mixture of normals"}
BLOCKS, SINGLES = "block bootstrap", "iid bootstrap"
INTERVAL = 0.8
METRIC = "energy score of paths, in daily deviations"
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
LEAST_BARS = 750
_JUDGED_PATHS = 200
_OVERLAP = 4
"""So many paths are under way at any bar; the errors of neighbours are taken together."""
_SPAN_BARS = 250
_LONG = (20, 2500)
"""Paths and bars of the long runs whose likeness to real returns is looked at."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What was sampled at one bar, and what happened."""

    time: np.datetime64
    symbol: str
    scores: dict[str, float]
    inside: dict[str, bool]


class ScenarioPaths:
    """The recipe."""

    name = "scenario_paths"
    task = "scenario_paths"
    model_type: ModelType = "generative"
    framework: Framework = "numpy"
    description = "Sampled paths of the price over the next bars, with their volatility in clusters"
    extras = ("torch",)
    defaults: Mapping[str, Any] = {
        "tier": "fhs",
        "horizon": 20,
        "paths": 500,
        "test_share": 0.6,
        "steps": 400,
        "refits": 0,
        **OPTIONS,
    }

    def train(self, data: TrainingData, options: Mapping[str, Any], progress: Progress) -> Trained:
        """Fit and judge a sampler; see `inference.training.recipe.Recipe`."""
        chosen = _checked(with_defaults(self, options))
        is_net = chosen["tier"] == "gru"
        with fitting(data, chosen, progress, trained_by_torch=is_net) as team:
            return self._train(data, chosen, progress, team)

    def _train(
        self, data: TrainingData, chosen: dict[str, Any], progress: Progress, team: Fitting | None
    ) -> Trained:
        tell = team.progress if team else progress
        panel = data.prices(self.name)
        past = [one for one in histories(panel) if len(one.times) >= LEAST_BARS]
        if not past:
            raise TooLittleData(f"no instrument has {LEAST_BARS} bars after the first 120")
        cuts = _cuts(past, share=chosen["test_share"], refits=chosen["refits"], tier=chosen["tier"])
        judged: list[Judged] = []
        densities: list[Floats] = []
        for index, (start, stop) in enumerate(pairwise(cuts)):
            tell(index / len(cuts), f"learning from what was known at {start}")
            known = _known(past, start)
            samplers = _samplers(known, chosen, paths=_JUDGED_PATHS, seed=data.seed, team=team)
            judged += judge(past, samplers, start, stop, horizon=chosen["horizon"])
            densities += _densities(past, samplers, start, stop)
        tell((len(cuts) - 1) / len(cuts), "learning from everything")
        every = _samplers(past, chosen, paths=chosen["paths"], seed=data.seed, team=team)
        final = every[TIERS[chosen["tier"]]]
        if not isinstance(final, Filtered | Recurrent):
            raise TypeError(f"{type(final).__name__} cannot be stored")
        facts = _facts(final, past, cuts[0], seed=data.seed)
        evaluation = _evaluate(TIERS[chosen["tier"]], judged, densities, len(cuts) - 1)
        progress(1.0, "done")
        return Trained(
            bundle=_bundle(panel, final, chosen),
            files={
                f"{final.member().architecture}.safetensors": save(final.tensors),
                LOSSES_FILE: _losses(TIERS[chosen["tier"]], judged).to_bytes(),
            },
            evaluation=evaluation,
            performance=ModelPerformance(),
            parameters=_parameters(final, chosen),
            notes=(
                "Where paths end in the middle is no forecast: direction has no measured edge.",
                "No path has a drift: that of instruments that survived would flatter it.",
                "fhs cannot draw a day, for its volatility, that never was in what it learned "
                "from; the net can.",
            ),
            metrics={"stylisedFacts": facts, **(team.metrics() if team else {})},
        )


def _checked(chosen: dict[str, Any]) -> dict[str, Any]:
    if chosen["tier"] not in TIERS:
        raise BadInput(f"the option 'tier' is {chosen['tier']!r}; it is one of {list(TIERS)}")
    bounds = {
        "horizon": (2, 250),
        "paths": (50, 5000),
        "test_share": (0.1, 0.9),
        "steps": (10, 20_000),
        "refits": (0, 50),
    }
    for name, (low, high) in bounds.items():
        if not low <= chosen[name] <= high:
            raise BadInput(f"the option {name!r} is {chosen[name]}; it is from {low} to {high}")
    check_workers(chosen, trained_by_torch=chosen["tier"] == "gru")
    return chosen


def _cuts(past: Sequence[History], *, share: float, refits: int, tier: str) -> Times:
    """Return the moments between test spans: yearly, or three spans for the net."""
    moments = np.unique(np.concatenate([one.times for one in past]))
    first = int(len(moments) * (1.0 - share))
    spans = refits or (3 if tier == "gru" else max(1, (len(moments) - first) // _SPAN_BARS))
    cuts: Times = moments[np.linspace(first, len(moments) - 1, spans + 1).astype(int)]
    return cuts


def _known(past: Sequence[History], cut: np.datetime64) -> list[History]:
    known = [one.until(int(np.searchsorted(one.times, cut, side="right"))) for one in past]
    enough = [one for one in known if len(one.times) > WINDOW + 60]
    if not enough:
        raise TooLittleData(f"no instrument has {WINDOW + 60} bars before {cut}")
    return enough


def _samplers(
    known: Sequence[History],
    chosen: Mapping[str, Any],
    *,
    paths: int,
    seed: int,
    team: Fitting | None,
) -> dict[str, Sampler]:
    steps = chosen["horizon"]
    samplers: dict[str, Sampler] = {
        TIERS["fhs"]: fit_filtered(known, paths=paths, steps=steps, seed=seed)
    }
    if team:
        samplers[TIERS["gru"]] = fit_recurrent(
            known, paths=paths, steps=steps, seed=seed, training_steps=chosen["steps"], fit=team
        )
    samplers[BLOCKS] = Bootstrap(BLOCK, paths, steps)
    samplers[SINGLES] = Bootstrap(1.0, paths, steps)
    return samplers


def judge(
    past: Sequence[History],
    samplers: Mapping[str, Sampler],
    start: np.datetime64,
    stop: np.datetime64,
    *,
    horizon: int,
) -> list[Judged]:
    """Return the scores of four cases a horizon from `start` to `stop`, in daily deviations.

    A case is graded only if all of its bars are there.
    """
    found = []
    for one in past:
        first, last = np.searchsorted(one.times, [start, stop], side="right")
        for at in range(max(int(first), WINDOW), int(last), max(1, horizon // _OVERLAP)):
            outcome = one.returns[at + 1 : at + 1 + horizon]
            if len(outcome) < horizon:
                break
            scale = float(np.exp(0.5 * one.slow[at]))
            went = np.cumsum(outcome) / scale
            scores, inside = {}, {}
            for name, sampler in samplers.items():
                paths = np.cumsum(sampler.sample(one, at, seed=at), axis=1) / scale
                scores[name] = energy_score(paths, went)
                low, high = np.quantile(paths[:, -1], [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
                inside[name] = bool(low <= went[-1] <= high)
            found.append(Judged(one.times[at], one.symbol, scores, inside))
    return found


def _densities(
    past: Sequence[History],
    samplers: Mapping[str, Sampler],
    start: np.datetime64,
    stop: np.datetime64,
) -> list[Floats]:
    """Return minus log densities of the next standardised return: net, Student, normal."""
    net = samplers.get(TIERS["gru"])
    if not isinstance(net, Recurrent):
        return []
    mixture = GruMixture(net.tensors, net.options.mixtures)
    found = []
    for one in past:
        first, last = np.searchsorted(one.times, [start, stop], side="right")
        if last - first < 2:
            continue
        begin = max(0, int(first) - WINDOW)
        moves = standardised(one)[begin : int(last) - 1]
        near = np.exp(0.5 * (one.fast[:-1] - one.slow[:-1]))[begin : int(last) - 1]
        state = np.zeros((1, net.options.hidden))
        said = []
        for move in moves:
            said.append(mixture.mixture(state))
            state = mixture.step(np.full(1, move), state)
        weights, means, deviations = (np.concatenate(part) for part in zip(*said, strict=True))
        graded = slice(int(first) - begin, None)
        found.append(
            -np.stack(
                [
                    log_mixture(moves, weights, means, deviations)[graded],
                    log_student5(moves, near)[graded],
                    log_normal(moves, near)[graded],
                ]
            )
        )
    return found


def _facts(
    final: Filtered | Recurrent, past: Sequence[History], start: np.datetime64, *, seed: int
) -> dict[str, dict[str, float]]:
    """Return memory and tails of real returns in the test span, and of long sampled ones."""
    paths, bars = _LONG
    real: list[dict[str, float]] = []
    blocks: list[dict[str, float]] = []
    singles: list[dict[str, float]] = []
    for one in past:
        tested = standardised(one)[one.times[1:] > start]
        if len(tested) < _SPAN_BARS:
            continue
        real.append(stylised_facts(tested[None, :]))
        long = History(one.symbol, one.times[1:], standardised(one), one.fast, one.slow)
        for block, into in ((BLOCK, blocks), (1.0, singles)):
            drawn = Bootstrap(block, 4, bars).sample(long, len(long.returns) - 1, seed=seed)
            into.append(stylised_facts(drawn))
    sampled = stylised_facts(final.long_run(paths=paths, steps=bars, seed=seed))
    means = {
        name: {fact: float(np.mean([one[fact] for one in some])) for fact in sampled}
        for name, some in (("real", real), (BLOCKS, blocks), (SINGLES, singles))
        if some
    }
    return {"model": sampled, **means}


def _losses(name: str, judged: Sequence[Judged]) -> CaseLosses:
    return CaseLosses(
        METRIC,
        tuple(case.symbol for case in judged),
        np.array([case.time for case in judged], dtype="datetime64[s]"),
        np.array([case.scores[name] for case in judged]),
    )


def _evaluate(
    name: str, judged: Sequence[Judged], densities: Sequence[Floats], refits: int
) -> Evaluation:
    if not judged:
        raise TooLittleData("no test span holds a whole path")
    times = np.array([one.time for one in judged])
    losses = {one: np.array([case.scores[one] for case in judged]) for one in judged[0].scores}
    rivals = [one for one in losses if one != name]
    best = min(rivals, key=lambda one: float(losses[one].mean()))
    years = times.astype("datetime64[Y]").astype(int) + 1970
    symbols = np.array([one.symbol for one in judged])
    other = {
        f"coverage of {INTERVAL:.0%}, {one}": float(np.mean([case.inside[one] for case in judged]))
        for one in losses
    }
    if densities:
        said = np.concatenate(densities, axis=1).mean(axis=1)
        titles = ("recurrent mixture", "EWMA Student 5", "EWMA normal")
        other |= {f"NLL, {title}": float(v) for title, v in zip(titles, said, strict=True)}
        other["NLL, n"] = float(sum(part.shape[1] for part in densities))

    def against(mask: np.ndarray) -> float:
        return float(1.0 - losses[name][mask].mean() / losses[best][mask].mean())

    return Evaluation(
        metric=METRIC,
        loss=float(losses[name].mean()),
        n=len(judged),
        n_refits=refits,
        first=moment(times.min()),
        last=moment(times.max()),
        purge_bars=1,
        baselines=tuple(
            baseline_score(one, losses[name], losses[one], times, horizon=_OVERLAP)
            for one in rivals
        ),
        by_year={str(year): against(years == year) for year in np.unique(years)},
        by_symbol={str(one): against(symbols == one) for one in np.unique(symbols)},
        coverage={f"{INTERVAL:.2f}": other[f"coverage of {INTERVAL:.0%}, {name}"]},
        other=other,
        notes=(
            "Paths overlap by three quarters; the interval of skill allows for it.",
            "The instruments are those that still existed at the end: survivors.",
        ),
    )


def _bundle(panel: Panel, final: Filtered | Recurrent, chosen: Mapping[str, Any]) -> Bundle:
    member = final.member()
    net = member.architecture == GRU
    view = RECENT_RETURNS if net else PATH_STATE
    return Bundle(
        name=ScenarioPaths.name,
        recipe=ScenarioPaths.name,
        task=ScenarioPaths.task,
        model_type=ScenarioPaths.model_type,
        framework="pytorch" if net else "numpy",
        inputs=(*view.columns, InputColumn(name=SEED, required=False)),
        members=(member,),
        head=Head(kind="paths", levels=LEVELS, interval_level=INTERVAL),
        feature_view=view.key,
        horizon_bars=chosen["horizon"],
        timeframe=panel.timeframe,
        event=f"the log total return over the next {chosen['horizon']} bars",
        unit="log return",
        max_batch=16,
    )


def _parameters(final: Filtered | Recurrent, chosen: Mapping[str, Any]) -> ModelParameters:
    shape = (chosen["paths"], chosen["horizon"])
    if isinstance(final, Filtered):
        return ModelParameters(
            input_shape=(2,),
            output_shape=shape,
            custom_params={
                **chosen,
                "pull": final.options.pull,
                "keep": final.options.keep,
                "residuals": final.options.residuals,
            },
        )
    return ModelParameters(
        input_shape=(WINDOW + 1,),
        output_shape=shape,
        layers=1,
        neurons=final.options.hidden,
        epochs=chosen["steps"],
        optimizer="Adam",
        loss_function="negative log likelihood",
        custom_params={**chosen, "weights": sum(t.size for t in final.tensors.values())},
    )
