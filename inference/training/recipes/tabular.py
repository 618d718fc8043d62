"""What will a column be? A model of any collected table, judged beside what is naive.

A quantity is forecast by ridge, a class by logit; tier `boosted` takes trees (extra `xgboost`),
tier `scikit_learn` the linear models of scikit-learn. The table is parted by time: what may be
chosen is chosen on its validation part, and the test part is forecast walk-forward. Steps are
fitted on the rows that each fit learns from, stored with the model, and replayed when it is asked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import msgspec
import numpy as np

from inference.bundle import Bundle, Head
from inference.cards import Framework, ModelParameters, ModelType
from inference.datasets.table_data import TableData
from inference.errors import BadInput
from inference.requests import Floats
from inference.training.evaluation.conformal import LEVELS, conformal_quantiles
from inference.training.evaluation.scoring import SURVIVORSHIP, Scores
from inference.training.evaluation.walk_forward import Cases, Mask, Plan, forecast, moment
from inference.training.models import table_baselines
from inference.training.models.table_baselines import Fit
from inference.training.models.table_cases import (
    Aims,
    Prepared,
    aims_of,
    cases_of_table,
    named,
    target_type,
)
from inference.training.models.table_columns import (
    Features,
    Fitted,
    features_of,
    fit_features,
    near_copies,
)
from inference.training.models.table_judging import (
    FOLDS,
    Judged,
    Run,
    in_folds,
    judge_classes,
    judge_numbers,
    losses_of,
    seen_only,
)
from inference.training.models.table_members import TIERS, Design, FittedMember, fit_member
from inference.training.recipe import (
    Progress,
    TooLittleData,
    Trained,
    TrainingData,
    with_defaults,
)

RIDGES = (0.1, 1.0, 10.0, 100.0, 1000.0)
LEAST_TRAIN, LEAST_TEST = 50, 30
WITHOUT_TIME: tuple[str, ...] = (
    f"The rows have no time: judged in {FOLDS} folds of neighbouring rows, each by the others. "
    "That says nothing about rows that are yet to come.",
)


class TabularRecipe:
    """The recipe `tabular`."""

    name: ClassVar[str] = "tabular"
    task: ClassVar[str] = "tabular"
    model_type: ClassVar[ModelType] = "regression"
    framework: ClassVar[Framework] = "numpy"
    description: ClassVar[str] = (
        "A column of a collected table from its other columns: a quantity or a class."
    )
    extras: ClassVar[tuple[str, ...]] = ("xgboost", "sklearn")
    defaults: ClassVar[Mapping[str, Any]] = {
        "target": "",
        "kind": "auto",
        "tier": "numpy",
        "columns": [],
        "ridge": 0.0,
        "trees": 150,
        "season": -1,
        "refits": 8,
    }

    def train(self, data: TrainingData, options: Mapping[str, Any], progress: Progress) -> Trained:
        """Learn and evaluate."""
        chosen = with_defaults(self, options)
        _check(chosen)
        table = data.rows(self.name)
        target: str = chosen["target"]
        kind = target_type(table.plan.manifest, target, chosen["kind"])
        progress(0.0, "parting the rows by time")
        aims = aims_of(table, target, kind)
        season = None if chosen["season"] < 0 else chosen["season"]
        prepared = cases_of_table(table, aims, season=season)
        known = np.isfinite(aims.values)
        parts = prepared.parts
        train = known if parts is None else known & parts.train
        features = features_of(table, target, named(chosen["columns"]), train)
        work = _Work(table, aims, prepared, features, chosen, data.seed)
        work.design(len(aims.classes), 1.0).require()
        if int(train.sum()) < LEAST_TRAIN:
            raise TooLittleData(
                f"{int(train.sum()):,} rows of training have {target!r}; {LEAST_TRAIN} are needed"
            )
        progress(0.1, "choosing on the validation part")
        ridge, chose = work.choose_ridge()
        judged = work.judge(
            ridge, lambda share: progress(0.2 + 0.6 * share, "forecasting walk-forward")
        )
        progress(0.85, "fitting on everything")
        member, fitted, names = work.fit_all(ridge)
        notes = (
            *judged.notes,
            chose,
            *features.notes,
            *near_copies(features, aims.values, train),
            *_missing(aims, target),
        )
        progress(1.0, "done")
        evaluation = judged.evaluation
        if parts is None:
            evaluation = msgspec.structs.replace(
                evaluation, first=data.as_of, last=data.as_of, by_year={}
            )
        return Trained(
            bundle=_bundle(self, chosen, kind, aims, features, fitted, member, judged.residuals),
            files={str(member.member.file): member.weights},
            evaluation=msgspec.structs.replace(
                evaluation,
                notes=(*(n for n in evaluation.notes if n != SURVIVORSHIP), *notes),
            ),
            performance=judged.performance,
            parameters=ModelParameters(
                input_shape=(len(names),),
                output_shape=(max(1, len(aims.classes)),),
                loss_function="log loss" if aims.classes else "squared error",
                custom_params={**chosen, "ridge": ridge},
            ),
            losses=judged.scores.case_losses(),
        )


@dataclass(frozen=True, eq=False)
class _Work:
    """One table, one target, and the ways to fit it."""

    table: TableData
    aims: Aims
    prepared: Prepared
    features: Features
    chosen: Mapping[str, Any]
    seed: int

    def design(self, classes: int, ridge: float) -> Design:
        """Return how to fit."""
        return Design(
            tier=self.chosen["tier"],
            ridge=ridge,
            trees=self.chosen["trees"],
            seed=self.seed,
            classes=classes,
        )

    def fit(self, classes: int, ridge: float) -> Callable[[Cases, Cases], Floats]:
        """Return what learns from some cases, steps and all, and forecasts others."""

        def forecasts(train: Cases, test: Cases) -> Floats:
            learned = train.pick(train.outcomes >= 0) if classes else train
            if classes and len(np.unique(learned.outcomes)) < 2:
                return table_baselines.rates_so_far(classes)(learned, test)
            rows = self.prepared.rows(self.features.rows, learned)
            fitted = fit_features(self.features.wanted, rows)
            names, matrix = fitted.matrix(rows)
            member = fit_member(self.design(classes, ridge), matrix, learned.outcomes, names)
            return member.predict(fitted.matrix(self.prepared.rows(self.features.rows, test))[1])

        return forecasts

    def fit_all(self, ridge: float) -> tuple[FittedMember, Fitted, tuple[str, ...]]:
        """Return the model that is stored, with its steps and the columns it reads."""
        known = self.prepared.cases.pick(np.isfinite(self.aims.values))
        rows = self.prepared.rows(self.features.rows, known)
        fitted = fit_features(self.features.wanted, rows)
        names, matrix = fitted.matrix(rows)
        design = self.design(len(self.aims.classes), ridge)
        return fit_member(design, matrix, known.outcomes, names), fitted, names

    def choose_ridge(self) -> tuple[float, str]:
        """Return the penalty, and how it was come by."""
        given: float = self.chosen["ridge"]
        if given:
            return given, f"The penalty of {given:g} was given, not chosen."
        parts = self.prepared.parts
        if self.chosen["tier"] == "boosted":
            return (
                1.0,
                f"{self.chosen['trees']} trees; nothing about them was chosen on this table.",
            )
        if parts is None:
            return 10.0, "The penalty is 10: without a time there is no part to choose one on."
        known = np.isfinite(self.aims.values)
        aims = self.aims.within(known & parts.train)
        cases = replace(self.prepared.cases, outcomes=aims.values)
        train, seen = cases.pick(known & parts.train), cases.pick(known & parts.validation)
        if not len(seen):
            return 10.0, "The penalty is 10: no row of the validation part has the target."
        hidden = replace(seen, outcomes=np.full(len(seen), np.nan))
        found = {
            ridge: float(
                losses_of(
                    self.fit(len(aims.classes), ridge)(train, hidden), seen.outcomes, aims.classes
                ).mean()
            )
            for ridge in RIDGES
        }
        best = min(found, key=lambda ridge: found[ridge])
        return best, f"The penalty of {best:g} was chosen on the validation part, among {RIDGES}."

    def judge(self, ridge: float, progress: Callable[[float], None]) -> Judged:
        """Forecast the test part walk-forward, or in folds, and score beside the baselines."""
        parts, known = self.prepared.parts, np.isfinite(self.aims.values)
        before = known if parts is None else known & (parts.train | parts.validation)
        aims = self.aims.within(before)
        cases = replace(self.prepared.cases, outcomes=aims.values)
        classes = len(aims.classes)
        if classes == 1:
            raise TooLittleData("the rows before the test part have one class only")
        beside = (
            table_baselines.of_classes(cases, classes)
            if classes
            else table_baselines.of_quantities(cases)
        )
        run, words = in_folds(cases, known), WITHOUT_TIME
        if parts is not None:
            run, words = self._walk(cases, np.asarray(parts.test & known))
        width = classes or 1
        values, refits = run(self.fit(classes, ridge), width, progress)
        tested = np.asarray(np.isfinite(values.reshape(len(values), width)).all(axis=1))
        if int(tested.sum()) < LEAST_TEST:
            raise TooLittleData(
                f"{int(tested.sum())} rows are left to be judged on; {LEAST_TEST} are needed"
            )
        judged, values = cases.pick(tested), values[tested]
        naive = {
            name: run(seen_only(fit) if classes else fit, width, lambda _: None)[0][tested]
            for name, fit in beside.items()
        }
        scores = Scores(
            metric="Brier score" if classes else "squared error",
            cases=judged,
            model=losses_of(values, judged.outcomes, aims.classes),
            baselines={
                name: losses_of(found, judged.outcomes, aims.classes)
                for name, found in naive.items()
            },
            refits=refits,
            embargo=0,
        )
        if any(not found.mean() > 0.0 for found in scores.baselines.values()):
            raise BadInput("a naive forecast was always right: there is nothing to learn")
        if classes:
            return judge_classes(scores, values, aims, words)
        return judge_numbers(scores, values, words, timed=parts is not None)

    def _walk(self, cases: Cases, test: Mask) -> tuple["Run", tuple[str, ...]]:
        moments = np.unique(cases.times[test])
        if not len(moments):
            raise TooLittleData("no row of the test part has the target")
        plan = Plan(
            refit_bars=max(1, -(-len(moments) // self.chosen["refits"])),
            test_from=moment(moments[0]).isoformat(),
            least_train=LEAST_TRAIN,
        )

        def run(fit: Fit, width: int, progress: Callable[[float], None]) -> tuple[Floats, int]:
            return forecast(cases, plan, fit, width=width, progress=progress)

        words = [
            f"Judged on the test part, from {moment(moments[0]):%Y-%m-%d}; each fit learned from "
            "all that was over by then."
        ]
        if self.prepared.season:
            words.append(f"A season is {self.prepared.season} rows.")
        return run, tuple(words)


def _bundle(
    recipe: TabularRecipe,
    chosen: Mapping[str, Any],
    kind: ModelType,
    aims: Aims,
    features: Features,
    fitted: Fitted,
    member: FittedMember,
    residuals: Floats | None,
) -> Bundle:
    target: str = chosen["target"]
    head = Head(kind="classes", classes=aims.classes, logits=member.logits)
    if residuals is not None:
        quantiles = conformal_quantiles(residuals).tolist()
        head = Head(
            kind="value",
            interval_level=0.8,
            residual_quantiles=tuple(zip(LEVELS, quantiles, strict=True)),
        )
    framework = {"numpy": "numpy", "boosted": "xgboost", "scikit_learn": "scikit_learn"}
    return Bundle(
        name=f"{recipe.name}-{target}",
        recipe=recipe.name,
        task=recipe.task,
        model_type=kind,
        framework=framework[chosen["tier"]],
        inputs=features.inputs,
        members=(member.member,),
        head=head,
        steps=fitted.steps,
        event=f"the column {target!r} of a row with these other columns",
        unit="probability" if aims.classes else target,
    )


def _check(chosen: Mapping[str, Any]) -> None:
    if chosen["tier"] not in TIERS:
        raise BadInput(
            f"the recipe 'tabular' has the tiers {', '.join(TIERS)}, not {chosen['tier']!r}"
        )
    if not (0.0 <= chosen["ridge"] <= 1e9 and 1 <= chosen["trees"] <= 2_000):
        raise BadInput("ridge must be 0 (chosen) or above, trees from 1 to 2,000")
    if not (-1 <= chosen["season"] <= 10_000 and 1 <= chosen["refits"] <= 500):
        raise BadInput("season must be -1 (found), 0 (none) or rows; refits from 1 to 500")


def _missing(aims: Aims, target: str) -> tuple[str, ...]:
    count = int(np.isnan(aims.values).sum())
    return (f"{count:,} rows without {target!r} were left out.",) if count else ()


TABULAR = TabularRecipe()
