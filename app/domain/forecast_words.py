"""Forecasts and outcomes in a few words for people. Pure; the exact numbers stand beside them."""

import math
from collections.abc import Callable
from typing import Any
from uuid import UUID

from app.domain.predictions import GradeView, Prediction

_GAP = "\u00a0"
HAPPENED = {
    "volatility_regime": ("it was turbulent", "it was calm or normal"),
    "direction": ("it rose", "it did not rise"),
}
"""Task -> what is said when its event happened, and when not."""


def move(variance: float) -> str:
    """Return a variance a bar as the move it means: "1.3 %"."""
    return f"{100 * math.sqrt(max(variance, 0.0)):.1f}{_GAP}%"


def change(log_return: float) -> str:
    """Return a log return as a change: "+2.1 %"."""
    return f"{100 * math.expm1(log_return):+.1f}{_GAP}%".replace("-", "−")


IN_WORDS: dict[str, Callable[[float], str]] = {"variance": move, "return_quantiles": change}


def outcome_words(task: str, value: Any, *, timeframe: str | None) -> str:
    """Return what happened: "1.1 % a day", "+2.1 %"."""
    if task not in IN_WORDS or not isinstance(value, int | float):
        return str(value)
    each = "" if task != "variance" else " a day" if timeframe == "1d" else " a bar"
    return f"{IN_WORDS[task](value)}{each}"


def grade_words(one: Prediction) -> str:
    """Return how a forecast turned out: "was right: 1.1 % a day against 0.9 to 1.9 % expected"."""
    if one.grade is None:
        due = one.resolves_at
        return "open" if due is None else f"open until {due.date().isoformat()}"
    happened = "" if one.outcome is None else one.outcome.words
    if one.grade == "none":
        return happened or "cannot be told"
    verdict = "was right" if one.grade == "hit" else "was wrong"
    words = IN_WORDS.get(one.task or "")
    if words is not None and one.interval is not None:
        expected = f"{words(one.interval.low)} to {words(one.interval.high)}"
        return f"{verdict}: {happened} against {expected} expected"
    probabilities = None if one.output is None else one.output.probabilities
    if probabilities and one.output is not None:
        share = probabilities.get(str(one.output.value))
        sure = "" if share is None else f" ({100 * share:.0f}{_GAP}% sure of “{one.output.value}”)"
        return f"{verdict}: {happened}{sure}"
    return f"{verdict}: {happened}"


def grade_view(one: Prediction, tool_call_id: str) -> GradeView:
    """Return how a forecast that a message shows turned out."""
    return GradeView(
        prediction_id=one.id,
        tool_call_id=tool_call_id,
        symbol=one.symbol,
        task=one.task,
        event=one.event,
        as_of=one.as_of,
        resolves_at=one.resolves_at,
        grade=one.grade,
        outcome=one.outcome,
        value=None if one.output is None else one.output.value,
        interval=one.interval,
        unit=None if one.output is None else one.output.unit,
        resolved_at=one.resolved_at,
        words=grade_words(one),
    )


def forecast_ids(tool: str, output: dict[str, Any]) -> list[UUID]:
    """Return the predictions that a tool call made."""
    data = output.get("data") if tool == "forecast" else None
    said = data.get("predictionId") if isinstance(data, dict) else None
    try:
        return [] if not isinstance(said, str) else [UUID(said)]
    except ValueError:
        return []
