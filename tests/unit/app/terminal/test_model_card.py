"""A card says what the evaluation says: the hardest baseline first, and no skill as no skill."""

import io
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from rich.console import Console

from app.domain.errors import Invalid
from app.terminal.model_card import _workers, print_card
from app.terminal.training import read_option
from inference.cards import (
    BaselineScore,
    Evaluation,
    ModelCard,
    ModelParameters,
    ModelPerformance,
)

AT = datetime(2026, 1, 5, tzinfo=UTC)


def baseline(name: str, skill: float, *, width: float = 0.02, dm_t: float | None = None) -> Any:
    return BaselineScore(
        name=name,
        loss=1.0,
        skill=skill,
        skill_low=skill - width,
        skill_high=skill + width,
        dm_t=dm_t,
    )


def card(*baselines: BaselineScore, **changes: Any) -> ModelCard:
    evaluation = Evaluation(
        metric="QLIKE",
        loss=0.322,
        n=10_116,
        n_refits=14,
        first=AT,
        last=AT,
        purge_bars=5,
        baselines=baselines,
        by_year={"2017": 0.05, "2018": -0.01},
        coverage={"0.80": 0.796},
        calibration_error=0.024,
        notes=("Six giants of the decade.",),
    )
    return msgspec.structs.replace(
        ModelCard(
            id=UUID(int=1),
            name="variance-5",
            version="3",
            type="regression",
            framework="numpy",
            architecture="",
            parameters=ModelParameters(),
            performance=ModelPerformance(),
            status="ready",
            training_dataset_id=None,
            validation_metrics={"evaluation": msgspec.to_builtins(evaluation)},
            created_by=None,
            trained_at=AT,
            created_at=AT,
            updated_at=AT,
        ),
        **changes,
    )


def printed(shown: ModelCard) -> str:
    out = io.StringIO()
    print_card(Console(file=out, width=100, color_system=None), shown)
    return out.getvalue()


def test_the_hardest_baseline_comes_first_with_its_interval() -> None:
    text = printed(card(baseline("EWMA", 0.3), baseline("log-HAR", 0.066, dm_t=-3.9)))

    assert text.index("log-HAR") < text.index("EWMA")
    assert "log-HAR +6.6% +4.6% … +8.6% -3.9" in " ".join(text.replace(" 1 ", " ").split())
    assert "Skill above zero against every baseline, least surely log-HAR." in text
    assert "QLIKE 0.322 over 10,116 forecasts" in text
    assert "80% interval held 79.6%" in text
    assert "2017 +5.0%  2018 -1.0%" in text
    assert "· Six giants of the decade." in text


def test_no_skill_is_said_in_so_many_words() -> None:
    assert "No usable skill: against climatology the interval includes zero." in printed(
        card(baseline("climatology", 0.001))
    )
    assert "Worse than climatology: use that instead." in printed(
        card(baseline("climatology", -0.1))
    )


def test_a_failed_version_says_why() -> None:
    failed = card(status="failed", failure="Too few bars.", validation_metrics={})

    text = printed(failed)

    assert "variance-5@3  failed" in text
    assert "Too few bars." in text


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("horizon=5", ("horizon", 5)),
        ("garch=false", ("garch", False)),
        ("tier=boosted", ("tier", "boosted")),
        ("hidden=[8,8]", ("hidden", [8, 8])),
        ("test-share=0.5", ("test_share", 0.5)),
        ("unknown=words", ("unknown", "words")),
    ],
)
def test_options_are_read_as_their_defaults_are(given: str, read: tuple[str, Any]) -> None:
    defaults = {"horizon": 1, "garch": True, "tier": "numpy", "hidden": [32], "test_share": 0.6}

    assert read_option(given, defaults) == read


@pytest.mark.parametrize("given", ["horizon", "=5", "horizon=five"])
def test_what_is_no_option_is_refused(given: str) -> None:
    with pytest.raises(Invalid, match=r"horizon=5|such as 1"):
        read_option(given, {"horizon": 1})


def test_a_card_says_how_many_trained_it_and_on_what() -> None:
    assert _workers(card()) == ""
    told = {"computedWith": {"workers": 2, "device": "cpu", "card": None}}
    assert _workers(card(validation_metrics=told)) == ", 2 workers on the CPU"
