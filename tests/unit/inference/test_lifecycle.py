"""Which states a model may go through, and what each asks for."""

import itertools
from typing import Any

import msgspec
import pytest

from inference.cards import STATUSES
from inference.errors import NotAllowed
from inference.lifecycle import NEXT, check_transition, choose_alias
from tests.fakes.cards import card, evaluation

NO_SKILL = {"evaluation": msgspec.to_builtins(evaluation(skill=0.01, low=-0.02))}


@pytest.mark.parametrize(("status", "to"), [*itertools.product(STATUSES, STATUSES)])
def test_only_the_drawn_steps_are_possible(status: Any, to: Any) -> None:
    model = card(status=status)
    if to in NEXT[model.status]:
        assert check_transition(model, to, reason="because") == to
    else:
        with pytest.raises(NotAllowed, match="from there it may become"):
            check_transition(model, to, reason="because")


def test_a_status_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(NotAllowed, match="there are training, validating, ready"):
        check_transition(card(), "retired")


def test_ready_needs_an_evaluation_beside_baselines() -> None:
    validating = card(status="validating", validation_metrics={})
    with pytest.raises(NotAllowed, match="no walk-forward evaluation"):
        check_transition(validating, "ready")
    alone = msgspec.structs.replace(evaluation(), baselines=())
    metrics = {"evaluation": msgspec.to_builtins(alone)}
    with pytest.raises(NotAllowed, match="no baselines"):
        check_transition(card(status="validating", validation_metrics=metrics), "ready")
    empty = {"evaluation": msgspec.to_builtins(msgspec.structs.replace(evaluation(), n=0))}
    with pytest.raises(NotAllowed, match="no cases"):
        check_transition(card(status="validating", validation_metrics=empty), "ready")
    with pytest.raises(NotAllowed, match="cannot be read"):
        check_transition(card(status="validating", validation_metrics={"evaluation": {}}), "ready")
    assert check_transition(card(status="validating"), "ready") == "ready"


def test_no_skill_is_ready_but_needs_a_reason_to_be_deployed() -> None:
    model = card(validation_metrics=NO_SKILL)
    assert check_transition(msgspec.structs.replace(model, status="validating"), "ready") == "ready"
    with pytest.raises(NotAllowed, match=r"skill against log-HAR is \+0\.010 .* not above 0"):
        check_transition(model, "deployed")
    with pytest.raises(NotAllowed, match="give a reason"):
        check_transition(model, "deployed", reason="  ")
    assert check_transition(model, "deployed", reason="the honest example") == "deployed"


def test_the_hardest_baseline_decides() -> None:
    stored = evaluation()
    easy = stored.baselines[0]
    hard = msgspec.structs.replace(easy, name="GARCH", skill=-0.01, skill_low=-0.05)
    both = msgspec.structs.replace(stored, baselines=(easy, hard))
    model = card(validation_metrics={"evaluation": msgspec.to_builtins(both)})
    with pytest.raises(NotAllowed, match="against GARCH"):
        check_transition(model, "deployed")


def test_a_model_without_files_or_address_goes_nowhere() -> None:
    with pytest.raises(NotAllowed, match="neither an artifact nor a deploymentUrl"):
        check_transition(card(artifact=None), "deployed")
    remote = card(artifact=None, deployment_url="oip+http://127.0.0.1:8000/m")
    assert check_transition(remote, "deployed") == "deployed"


def test_failing_needs_a_reason() -> None:
    with pytest.raises(NotAllowed, match="say what went wrong"):
        check_transition(card(), "failed")


def test_a_version_gets_the_first_alias_that_is_free() -> None:
    assert choose_alias(None, held={}, version="1", name="calm") == "champion"
    assert choose_alias(None, held={"champion": "1"}, version="2", name="calm") == "challenger"
    held = {"champion": "1", "challenger": "2"}
    assert choose_alias(None, held=held, version="1", name="calm") == "champion"
    assert choose_alias("champion", held=held, version="3", name="calm") == "champion"
    with pytest.raises(NotAllowed, match="champion is calm@1, challenger is calm@2"):
        choose_alias(None, held=held, version="3", name="calm")
    with pytest.raises(NotAllowed, match="'best' is no alias"):
        choose_alias("best", held={}, version="1", name="calm")


def test_skill_must_be_sure_against_every_baseline_not_only_the_nearest() -> None:
    good = evaluation(skill=0.02, low=0.01)
    unsure = msgspec.structs.replace(good.baselines[0], name="EWMA", skill=0.04, skill_low=-0.01)
    both = msgspec.structs.replace(good, baselines=(*good.baselines, unsure))
    assert good.has_skill
    assert both.best_baseline().name != "EWMA"
    assert not both.has_skill
