"""Which states a model may go through, and what each asks of it. Pure: no clock, no store.

```
training → validating → ready → deployed → deprecated
    └──────────┴──────────┴────────┴─→ failed → validating
```

Back from `deployed` to `ready` takes a version out of service; from `deprecated` to `ready` or
`deployed` brings one back. `ready` asks for an evaluation beside baselines, `deployed` for skill
that is measurably above zero, or for a reason why it serves without.
"""

from typing import Literal, TypeAlias, cast, get_args

import msgspec

from inference.cards import STATUSES, Evaluation, ModelCard, ModelStatus
from inference.errors import NotAllowed

Alias: TypeAlias = Literal["champion", "challenger"]
ALIASES: tuple[Alias, ...] = get_args(Alias)
"""Each name of a model has at most one version under each."""

NEXT: dict[ModelStatus, tuple[ModelStatus, ...]] = {
    "training": ("validating", "failed"),
    "validating": ("ready", "failed"),
    "ready": ("deployed", "deprecated", "failed"),
    "deployed": ("ready", "deprecated", "failed"),
    "deprecated": ("ready", "deployed", "failed"),
    "failed": ("validating", "deprecated"),
}
"""From a status to those it may change into."""


def check_transition(card: ModelCard, to: str, *, reason: str | None = None) -> ModelStatus:
    """Return `to` if the model may go there now.

    Raises:
        NotAllowed: says what is missing, or which states are possible.
    """
    if to not in STATUSES:
        raise NotAllowed(f"{to!r} is no status; there are {', '.join(STATUSES)}")
    status = cast("ModelStatus", to)
    who = label(card)
    if status not in NEXT[card.status]:
        allowed = " or ".join(NEXT[card.status])
        raise NotAllowed(f"{who} is {card.status}; from there it may become {allowed}, not {to}")
    if status == "failed":
        if not (reason or "").strip():
            raise NotAllowed(f"{who} cannot become failed without a reason: say what went wrong")
        return status
    if status == "deprecated":
        return status
    if not (card.artifact or card.deployment_url):
        raise NotAllowed(
            f"{who} cannot become {to}: it has neither an artifact nor a deploymentUrl;"
            " attach one first"
        )
    if status in ("ready", "deployed"):
        checked_evaluation(card)
    if status == "deployed" and not has_skill(card) and not (reason or "").strip():
        raise NotAllowed(f"{who} cannot be deployed: {no_skill(card)}; give a reason to override")
    return status


def checked_evaluation(card: ModelCard) -> Evaluation:
    """Return the evaluation that `ready` asks for.

    Raises:
        NotAllowed: there is none, or it lacks cases or baselines.
    """
    who = label(card)
    try:
        evaluation = card.evaluation()
    except msgspec.ValidationError as wrong:
        raise NotAllowed(f"the stored evaluation of {who} cannot be read: {wrong}") from None
    if evaluation is None:
        raise NotAllowed(
            f"{who} has no walk-forward evaluation; ready asks for one beside its baselines"
            " (validationMetrics.evaluation)"
        )
    if evaluation.n < 1:
        raise NotAllowed(f"the evaluation of {who} has no cases; it needs at least one")
    if not evaluation.baselines:
        raise NotAllowed(f"the evaluation of {who} has no baselines; it needs at least one")
    return evaluation


def has_skill(card: ModelCard) -> bool:
    """Tell whether the interval of its skill lies above 0.

    Raises:
        NotAllowed: there is no evaluation to tell by.
    """
    return checked_evaluation(card).has_skill


def no_skill(card: ModelCard) -> str:
    """Say in words what its evaluation shows."""
    best = checked_evaluation(card).least_sure()
    return (
        f"its skill against {best.name} is {best.skill:+.3f}"
        f" (95 % interval {best.skill_low:+.3f} to {best.skill_high:+.3f}), not above 0"
    )


def choose_alias(wanted: str | None, *, held: dict[str, str], version: str, name: str) -> Alias:
    """Return the alias that a version gets when it is deployed.

    `held` says which version has which alias now. Without a wish it is the first that is free.

    Raises:
        NotAllowed: there is no such alias, or none is free.
    """
    if wanted is not None:
        return checked_alias(wanted)
    for alias in ALIASES:
        if held.get(alias, version) == version:
            return alias
    taken = ", ".join(f"{alias} is {name}@{held[alias]}" for alias in ALIASES)
    raise NotAllowed(f"{name} has a version under every alias ({taken}); say which one to replace")


def checked_alias(alias: str) -> Alias:
    """Return `alias` if it is one.

    Raises:
        NotAllowed: it is not.
    """
    if alias not in ALIASES:
        raise NotAllowed(f"{alias!r} is no alias; there are {', '.join(ALIASES)}")
    return alias


def label(card: ModelCard) -> str:
    """Return what people call a version."""
    return f"{card.name}@{card.version}"
