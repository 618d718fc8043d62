"""Why a card has no number in one of the seed's fields of performance: not every number means
something for every kind of model, and a made-up one would be worse than none.
"""

from collections.abc import Mapping

from inference.cards import ModelCard, ModelType

_CLASSES = ("accuracy", "precision", "recall", "f1_score", "auc")
_ERRORS = ("mse", "mae", "rmse")
_WHY: Mapping[ModelType, tuple[str, str]] = {
    "regression": ("It forecasts a number, which has no right or wrong class.", ""),
    "time_series": ("It forecasts a distribution, which has no right or wrong class.", ""),
    "classification": (
        "",
        "Classes are no numbers; how far probabilities were off is the Brier score.",
    ),
    "nlp": ("", "Labels are no numbers; how far probabilities were off is the Brier score."),
    "reinforcement": (
        "It chooses what to do; what that was worth is the utility in the evaluation.",
        "It foretells no number that could be off.",
    ),
    "generative": (
        "It draws paths, which have no right or wrong class.",
        "Where a path ends is no forecast; how well paths fit is the energy score.",
    ),
}
_BOASTING = "The mean absolute error of a probability rewards boasting; mse is the Brier score."
_NEVER_SAID = "It never said that the event would happen, or the event never did."
_NOT_EVALUATED = "It was not evaluated here."
_NOT_TIMED = "It was not timed on this machine."


def absent_metrics(card: ModelCard) -> dict[str, str]:
    """Return the seed's fields of performance that a card does not fill -> why, in words."""
    of_classes, of_errors = _WHY[card.type]
    reasons: dict[str, str] = {}
    for name in (*_CLASSES, *_ERRORS):
        if getattr(card.performance, name) is None:
            why = of_classes if name in _CLASSES else of_errors
            if card.evaluation() is None:
                why = _NOT_EVALUATED
            elif card.type == "classification" and name == "mae" and card.performance.mse:
                why = _BOASTING
            reasons[_camel(name)] = why or _NEVER_SAID
    timed = card.validation_metrics.get("speed") or {}
    for name in ("latency_ms", "throughput"):
        if getattr(card.performance, name) is None:
            reasons[_camel(name)] = str(timed.get("reason", _NOT_TIMED))
    return reasons


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
