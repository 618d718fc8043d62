"""How a model does now that it is used, from what it has said and what happened."""

from app.domain.principal import Principal
from app.services.models.model_health import ModelHealth
from app.storage.model_reports import StoredModelReports
from app.wiring.bundles import Bundles
from tests.integration.experiments.experiment_desk import ExperimentDesk
from tests.integration.predictions.small_models import VIEW


def health(desk: ExperimentDesk) -> ModelHealth:
    return ModelHealth(
        StoredModelReports(desk.database),
        desk.registry,
        Bundles(desk.artifacts),
        desk.bars,
        {VIEW.key: VIEW},
        clock=desk.clock,
    )


async def test_a_model_that_is_worse_than_its_baseline_raises_an_alarm(
    desk: ExperimentDesk, ann: Principal
) -> None:
    bad = await desk.deploy("1", "champion", bias=3.0)
    await desk.live(ann, 60)
    report = await health(desk).newest(bad.id)
    assert report.model == "variance-small@1"
    assert report.skill.n == 60
    assert report.skill.is_lost
    assert report.skill.high is not None
    assert report.skill.high < 0
    assert "worse than its baseline" in report.alarms[0]
    assert report.calibration.nominal == 0.8
    assert report.calibration.coverage is not None
    assert report.calibration.coverage < 0.5
    assert any("were inside intervals of 80%" in alarm for alarm in report.alarms)
    assert any("Inputs are not compared" in note for note in report.notes)


async def test_a_sound_model_raises_none_and_its_requests_are_counted(
    desk: ExperimentDesk, ann: Principal
) -> None:
    card = await desk.deploy("1", "champion")
    for symbol in ("AAA", "BBB"):
        await desk.ask(ann, symbol)
    report = await health(desk).newest(card.id)
    assert (report.calls.n, report.calls.completed, report.calls.failed) == (2, 2, 0)
    assert report.calls.latency_p50_ms is not None
    assert report.alarms == []
    assert report.skill.skill is None
    assert report.outputs.level == "too few"


async def test_one_report_a_day_is_kept_and_a_fresh_one_serves_again(
    desk: ExperimentDesk, ann: Principal
) -> None:
    card = await desk.deploy("1", "champion")
    looked = health(desk)
    first = await looked.newest(card.id)
    assert await looked.newest(card.id) == first
    assert [one.model_id for one in await looked.look_after()] == []
    await desk.live(ann, 1)  # ten days pass
    (second,) = await looked.look_after()
    page = await looked.page(card.id, cursor=None, limit=1)
    assert page.items == [second]
    assert page.next_cursor is not None
    rest = await looked.page(card.id, cursor=page.next_cursor, limit=10)
    assert rest.items == [first]
