"""From losses to what a card must hold: skill against every baseline, by year, by instrument."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference.cards import BaselineScore, Evaluation
from inference.requests import Floats
from inference.training.evaluation.comparison import CaseLosses
from inference.training.evaluation.diebold_mariano import compare
from inference.training.evaluation.walk_forward import Cases, moment

SURVIVORSHIP = (
    "The instruments were chosen afterwards: those that vanished are missing, so that what was "
    "foretold may have been easier, and rises more common, than for what one could have held."
)
INTERVALS = (
    "Intervals of skill: delta method of the loss ratio; Newey-West errors of the sums by moment, "
    "with a lag of twice the horizon."
)


@dataclass(frozen=True, eq=False)
class Scores:
    """What an evaluation is made of: losses on the same cases, tested ones only."""

    metric: str
    cases: Cases
    model: Floats
    baselines: Mapping[str, Floats]
    refits: int
    embargo: int

    def evaluation(
        self,
        *,
        notes: Sequence[str] = (),
        coverage: Mapping[str, float] | None = None,
        calibration_error: float | None = None,
        debiased_calibration_error: float | None = None,
        reliability: tuple[tuple[float, float, int], ...] = (),
        other: Mapping[str, float] | None = None,
    ) -> Evaluation:
        """Return the evaluation."""
        cases = self.cases
        scores = tuple(self._against(name, losses) for name, losses in self.baselines.items())
        best = min(scores, key=lambda score: score.skill)
        beside = self.baselines[best.name]
        years = cases.times.astype("datetime64[Y]").astype(np.int64) + 1970
        symbols = np.array(cases.symbol_names)[cases.symbols]
        return Evaluation(
            metric=self.metric,
            loss=float(self.model.mean()),
            n=len(cases),
            n_refits=self.refits,
            first=moment(cases.times.min()),
            last=moment(cases.times.max()),
            purge_bars=cases.horizon + self.embargo,
            baselines=scores,
            by_year=self._groups(years, beside),
            by_symbol=self._groups(symbols, beside),
            coverage=dict(coverage or {}),
            calibration_error=calibration_error,
            debiased_calibration_error=debiased_calibration_error,
            reliability=reliability,
            other=dict(other or {}),
            notes=(*notes, SURVIVORSHIP, INTERVALS),
        )

    def case_losses(self) -> CaseLosses:
        """Return the model's loss of every case."""
        names = self.cases.symbol_names
        return CaseLosses(
            metric=self.metric,
            symbols=tuple(names[index] for index in self.cases.symbols.tolist()),
            times=self.cases.times,
            losses=self.model,
        )

    def _against(self, name: str, losses: Floats) -> BaselineScore:
        found = compare(self.model, losses, self.cases.times, horizon=self.cases.horizon)
        return BaselineScore(
            name=name,
            loss=float(losses.mean()),
            skill=found.skill,
            skill_low=found.low,
            skill_high=found.high,
            dm_t=found.t if np.isfinite(found.t) else None,
        )

    def _groups(self, labels: np.ndarray, beside: Floats) -> dict[str, float]:
        return {
            str(label): float(
                1.0 - self.model[labels == label].mean() / beside[labels == label].mean()
            )
            for label in np.unique(labels)
        }
