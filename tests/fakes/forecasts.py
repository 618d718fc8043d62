"""Forecasts without models: numbers that anybody can check, in the shape that real ones have."""

from datetime import UTC, datetime, timedelta

from tools.forecast_book import Basis, PastTold, Skill, Told, Untrained, Wanted, What

NO_SKILL = Skill(
    value=-0.0022, low=-0.0077, high=0.0031, baseline="climatology", metric="Brier score",
    n=90_480, has_edge=False,
)  # fmt: skip
LEARNED_UNTIL = datetime(2013, 3, 1, 21, tzinfo=UTC)


class MadeUpForecasts:
    """Knows what to expect of everything but regimes 20 bars ahead; has a past of three."""

    def __init__(self, *, trained: bool = True, away: bool = False) -> None:
        self.trained = trained
        self.away = away
        """The champion is away, and an earlier version answers for it."""
        self.wanted: list[Wanted] = []

    async def forecast(
        self, wanted: Wanted, *, principal_id: str, deadline_s: float
    ) -> Told | Untrained:
        self.wanted.append(wanted)
        if not self.trained or (wanted.what, wanted.horizon_bars) == ("regime", 20):
            return Untrained(
                reason="No model that forecasts that is deployed here.",
                how=f"outcry train {wanted.what} trains one.",
                model="" if wanted.what != "direction" else "direction-model@1",
                skill=None if wanted.what != "direction" else NO_SKILL,
            )
        moment = {
            "prediction_id": "01a2197a-0005-77a5-b951-66a7c974e11a",
            "model": f"{wanted.what}-model@3",
            "model_id": "01a2197a-0005-77a5-b951-66a7c974e11b",
            "event": f"something about the next {wanted.horizon_bars} bars",
            "horizon_bars": wanted.horizon_bars,
            "as_of": wanted.as_of,
            "resolves_at": wanted.as_of + timedelta(days=7),
            "latency_ms": 1.5,
            "after_the_fact": wanted.past,
            "learned_until": LEARNED_UNTIL,
        }
        if self.away:
            moment |= {
                "degraded": True,
                "asked_model": f"{wanted.what}-model@4",
                "degraded_because": "the server cannot be reached.",
            }
        skill = Skill(
            value=0.1967, low=0.1512, high=0.2483, baseline="log-HAR", metric="QLIKE", n=10_140,
            has_edge=True,
        )  # fmt: skip
        if wanted.what == "volatility":
            return Told(
                **moment,  # type: ignore[arg-type]
                value=1.69e-4,
                low=0.81e-4,
                high=3.61e-4,
                level=0.8,
                quantiles={0.1: 0.81e-4, 0.5: 1.6e-4, 0.9: 3.61e-4},
                baseline_name="log-HAR",
                # For MSFT both say 1.3 %, to the digits that people read.
                baseline_value=1.72e-4 if wanted.symbol == "MSFT" else 2.25e-4,
                baseline_low=1e-4,
                baseline_high=4e-4,
                skill=skill,
                basis=Basis(
                    confidence=0.787, n=10_140, observed=0.787,
                    measured_on="walk-forward evaluation",
                ),
                contributions={"volume_up": 0.4, "fall_5": -0.2},
            )  # fmt: skip
        if wanted.what == "returns":
            return Told(
                **moment,  # type: ignore[arg-type]
                value=0.002,
                low=-0.0312,
                high=0.0337,
                level=0.8,
                quantiles={0.1: -0.0312, 0.5: 0.002, 0.9: 0.0337},
                baseline_name="filtered historical simulation",
                baseline_value=0.001,
                baseline_low=-0.035,
                baseline_high=0.036,
                baseline_quantiles={0.1: -0.035, 0.5: 0.001, 0.9: 0.036},
                skill=skill,
                basis=Basis(
                    confidence=0.797, n=212, observed=0.797, measured_on="settled forecasts"
                ),
            )
        classes = ("calm", "turbulent") if wanted.what == "regime" else ("down", "up")
        share = 0.2345 if wanted.what == "regime" else 0.5312
        return Told(
            **moment,  # type: ignore[arg-type]
            value=classes[share > 0.5],
            probabilities={classes[0]: 1 - share, classes[1]: share},
            classes=classes,
            baseline_name="persistence" if wanted.what == "regime" else "climatology",
            baseline_value=classes[0],
            baseline_probabilities={classes[0]: 0.47, classes[1]: 0.53},
            skill=skill if wanted.what == "regime" else NO_SKILL,
            basis=Basis(
                confidence=max(share, 1 - share), n=913, observed=0.7812,
                measured_on="walk-forward evaluation",
            ),
        )  # fmt: skip

    async def past(
        self, symbol: str | None, *, what: What | None, principal_id: str, limit: int
    ) -> list[PastTold]:
        if not self.trained:
            return []
        grades: tuple[tuple[str | None, float | None], ...] = (
            (None, None),
            ("hit", 1.21e-4),
            ("miss", 9e-4),
        )
        return [
            PastTold(
                prediction_id=f"01a2197a-0005-77a5-b951-66a7c974e1{index}a",
                symbol=symbol or "GOOG",
                what="volatility",
                model="volatility-model@3",
                horizon_bars=5,
                timeframe="1d",
                as_of=datetime(2013, 3 - index, 1, 21, tzinfo=UTC),
                resolves_at=datetime(2013, 3 - index, 8, 21, tzinfo=UTC),
                value=1.69e-4,
                low=0.81e-4,
                high=3.61e-4,
                probabilities={},
                classes=(),
                grade=grade,
                outcome=outcome,
                loss=None if outcome is None else 0.3,
                baseline_loss=None if outcome is None else 0.4,
                baseline_name="log-HAR",
            )
            for index, (grade, outcome) in enumerate(grades)
        ]
