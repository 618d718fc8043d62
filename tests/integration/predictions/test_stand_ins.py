"""While the model that was asked is away, the last good version here answers, and says so."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.domain.errors import Conflict
from app.domain.predictions import PredictionFilter
from app.domain.principal import Principal
from app.services.jobs import Jobs
from app.services.predictions.answering import PAST
from app.services.predictions.forecasts import Forecasts
from app.services.predictions.prediction_batches import BatchCommand, PredictionBatches
from app.services.predictions.prediction_exports import as_table
from app.services.predictions.stand_ins import StandIns, same_question
from app.storage.engine import Database
from app.storage.jobs import StoredJobs
from app.storage.model_reports import StoredModelReports
from inference.bundle import InputColumn
from tests.integration.experiments.experiment_desk import NAME, TOMORROW
from tests.integration.predictions.away_desk import BIAS, REMOTE, AwayDesk, Server
from tests.integration.predictions.small_models import BARS
from tests.integration.predictions.test_batches import ended
from tools.forecast_book import Told, Wanted

WHY = "the server cannot be reached"


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[AwayDesk]:
    desk = AwayDesk(database, tmp_path)
    await desk.load(BARS - 20)
    await desk.server.start()
    async with desk.engine:
        yield desk
        await desk.predictions.close()
    await desk.server.die()


async def both(desk: AwayDesk) -> tuple[Any, Any]:
    """Return an old champion that runs here, and the one on the server that replaced it."""
    here = await desk.deploy("1", "champion", bias=BIAS)
    return here, await desk.deploy_elsewhere("2")


def value(made: Any) -> float:
    assert made.output is not None
    return float(made.output.value)


async def test_a_server_that_dies_is_stood_in_for_and_answers_itself_when_it_is_back(
    desk: AwayDesk, ann: Principal
) -> None:
    here, away = await both(desk)
    first = await desk.put(ann, "1")
    assert (first.model_id, first.degraded, first.asked_model_id) == (away.id, False, None)

    await desk.server.die()
    second = await desk.put(ann, "2")
    assert (second.status, second.degraded) == ("completed", True)
    assert (second.model_id, second.model_version) == (here.id, f"{NAME}@1")
    assert (second.asked_model_id, second.asked_model) == (away.id, f"{NAME}@2")
    assert second.degraded_because is not None
    assert second.degraded_because.startswith(WHY)
    assert value(second) == pytest.approx(value(first) * 2.718281828**BIAS)
    assert second.as_of == first.as_of
    assert second.baseline == first.baseline
    # The same request is the same prediction, also once the server is back.
    for number in range(3, 7):
        assert (await desk.put(ann, str(number))).degraded
    await desk.server.start()
    assert await desk.put(ann, "2") == second

    # The breaker has opened: the server is left alone, and there is an answer all the same.
    asked = len(desk.server.inner.asked)
    rested = await desk.put(ann, "8")
    assert rested.degraded
    assert rested.degraded_because is not None
    assert "left alone" in rested.degraded_because
    assert len(desk.server.inner.asked) == asked
    desk.seconds += 31
    again = await desk.put(ann, "9")
    assert (again.model_id, again.degraded) == (away.id, False)
    assert value(again) == value(first)


async def test_a_server_that_hangs_leaves_time_for_another_within_one_deadline(
    desk: AwayDesk, ann: Principal
) -> None:
    here, _ = await both(desk)
    released = desk.server.inner.waits = asyncio.Event()
    made = await desk.put(ann, "1", deadline_s=1.0)
    released.set()
    assert (made.status, made.model_id, made.degraded) == ("completed", here.id, True)
    assert made.latency_ms is not None
    assert 500 < made.latency_ms < 1000


async def test_a_version_that_was_named_is_never_stood_in_for(
    desk: AwayDesk, ann: Principal
) -> None:
    _, away = await both(desk)
    await desk.server.die()
    for number, ref in enumerate((f"{NAME}@2", str(away.id))):
        made = await desk.put(ann, str(number), model=ref)
        assert (made.status, made.error_code, made.degraded) == ("failed", "worker_lost", False)
        assert made.model_id == away.id


async def test_without_a_good_version_here_it_is_a_failed_answer(
    desk: AwayDesk, ann: Principal
) -> None:
    # Of another horizon, and on the same server: neither can answer for it.
    await desk.deploy_elsewhere("1")
    longer = msgspec.structs.replace(REMOTE, horizon_bars=5)
    await desk.deploy_elsewhere("other", longer, name="another")
    away = await desk.deploy_elsewhere("2")
    await desk.server.die()
    made = await desk.put(ann, "1")
    assert (made.status, made.error_code, made.model_id) == ("failed", "worker_lost", away.id)
    assert not made.degraded


async def test_what_answers_badly_is_not_away(desk: AwayDesk, ann: Principal) -> None:
    await both(desk)
    desk.server.inner.values = [["much"]]
    made = await desk.put(ann, "1")
    assert (made.status, made.error_code, made.degraded) == ("failed", "model_failed", False)


async def test_damaged_files_are_stood_in_for_before_and_after_they_are_found_out(
    desk: AwayDesk, ann: Principal
) -> None:
    old = await desk.deploy("1", "champion", bias=BIAS)
    new = await desk.deploy("2", "champion")
    desk.spoil(new)
    for number in range(2):
        made = await desk.put(ann, str(number), model=f"{NAME}@champion")
        assert (made.model_id, made.asked_model_id, made.degraded) == (old.id, new.id, True)
        assert (await desk.registry.get(new.id)).status == "failed"
    assert desk.damaged == ["2"]
    with pytest.raises(Conflict, match="is failed and does not serve"):
        await desk.put(ann, "named", model=f"{NAME}@2")
    # A new champion ends it.
    better = await desk.deploy("3", "champion", bias=2 * BIAS)
    assert (await desk.put(ann, "4")).model_id == better.id


async def test_where_everything_is_damaged_the_request_is_refused_and_nothing_is_written(
    desk: AwayDesk, ann: Principal
) -> None:
    for version, bias in (("1", 0.0), ("2", BIAS)):
        desk.spoil(await desk.deploy(version, "champion", bias=bias))
    for number in range(2):
        with pytest.raises(Conflict) as refused:
            await desk.put(ann, str(number))
        assert refused.value.code == "damaged_artifact"
    assert desk.damaged == ["2", "1"]
    assert await desk.database.fetchval("SELECT count(*) FROM predictions") == 0


async def test_of_several_the_last_deployed_answers_and_neither_a_rejected_one(
    desk: AwayDesk, ann: Principal
) -> None:
    await desk.deploy("1", "champion", bias=BIAS)
    last = await desk.deploy("2", "champion", bias=2 * BIAS)
    bad = await desk.deploy("bad", "challenger", bias=9.0)
    await desk.deploy_elsewhere("3")
    await desk.server.die()
    assert (await desk.put(ann, "1")).model_id == last.id
    # It stands in only while nothing that was champion can.
    await desk.database.execute(
        "INSERT INTO experiments (id, model, mode, share, alpha, champion_id, challenger_id,"
        " status, started_at) VALUES ($1, $2, 'shadow', 1, 0.05, $3, $4, 'rejected', now())",
        bad.id, NAME, last.id, bad.id,
    )  # fmt: skip
    held = await desk.registry.last_good(await desk.registry.find(f"{NAME}@champion"))
    assert [card.version for card in held] == ["2", "1"]


async def test_degraded_answers_count_for_who_gave_them_and_as_failures_of_who_was_asked(
    desk: AwayDesk, ann: Principal
) -> None:
    here, away = await both(desk)
    await desk.server.die()
    for number in range(3):
        await desk.put(ann, str(number))
    await desk.append(BARS)
    assert await desk.settlement.sweep() == 3
    past = {
        card.id: await desk.store.past(card.id, before=desk.now, limit=PAST)
        for card in (here, away)
    }
    assert (len(past[here.id]), past[away.id]) == (3, [])
    reports = StoredModelReports(desk.database)
    assert await reports.settled(away.id, limit=9) == []
    since = (await desk.put(ann, "0")).created_at
    calls = await reports.calls(away.id, since=since, now=desk.now)
    assert (calls.n, calls.completed, calls.failed, calls.latency_p50_ms) == (3, 0, 3, None)
    own = await reports.calls(here.id, since=since, now=desk.now)
    assert (own.n, own.completed, own.failed, own.latency_p50_ms) == (3, 3, 0, None)


async def test_an_experiment_counts_the_request_and_not_the_answer_of_a_third(
    desk: AwayDesk, ann: Principal
) -> None:
    await desk.deploy("1", "champion", bias=BIAS)
    await desk.deploy_elsewhere("2")
    await desk.deploy("3", "challenger")
    begun = await desk.experiments.start(NAME, mode="shadow", share=1.0, by=None)
    await desk.put(ann, "1")
    await desk.server.die()
    made = await desk.put(ann, "2")
    assert (made.degraded, made.experiment_id) == (True, begun.id)
    await desk.predictions.close()
    await desk.append(BARS)
    await desk.settlement.sweep()
    reading = await desk.experiments.reading(begun.id)
    assert (reading.pairs, reading.split.requests, reading.unpaired) == (1, 2, 1)


async def test_whom_an_experiment_drew_is_stood_in_for_by_the_champion_wherever_it_runs(
    desk: AwayDesk, ann: Principal
) -> None:
    await desk.deploy("1", "champion", bias=BIAS)
    other = Server()
    await other.start()
    champion = await desk.deploy_elsewhere("2")
    challenger = await desk.deploy_elsewhere("3", alias="challenger", port=other.port)
    await other.die()
    await desk.experiments.start(NAME, mode="ab", share=0.5, by=None)
    for number in range(40):
        made = await desk.put(ann, f"drawn {number}")
        assert made.model_id == champion.id
        if made.variant == "challenger":
            assert (made.degraded, made.asked_model_id) == (True, challenger.id)
            return
        assert not made.degraded
    raise AssertionError("nobody was drawn")


async def test_a_forecast_is_asked_of_the_champion_again_and_stood_in_for_once(
    desk: AwayDesk, ann: Principal
) -> None:
    here, away = await both(desk)
    forecasts = Forecasts(desk.predictions, desk.registry, clock=desk.clock)
    wanted = Wanted(
        symbol="AAA", what="volatility", horizon_bars=1, timeframe="1d", as_of=desk.now,
        fingerprint="x",
    )  # fmt: skip

    async def told() -> Told:
        desk.now = desk.now.replace(minute=desk.now.minute + 1)
        found = await forecasts.forecast(wanted, principal_id=str(ann.user_id), deadline_s=5.0)
        assert isinstance(found, Told)
        return found

    await desk.server.die()
    one = await told()
    assert (one.degraded, one.asked_model, one.model_id) == (True, f"{NAME}@2", str(here.id))
    assert one.degraded_because.startswith(WHY)
    assert (await told()).prediction_id == one.prediction_id
    page = await desk.predictions.page(
        ann, PredictionFilter(status="completed"), cursor=None, limit=9
    )
    assert len(page.items) == 1
    await desk.server.start()
    back = await told()
    assert (back.degraded, back.model_id) == (False, str(away.id))


@pytest.mark.parametrize(("model", "degraded"), [(NAME, True), (f"{NAME}@2", False)])
async def test_a_batch_by_name_goes_on_with_who_stands_in_and_its_table_says_so(
    desk: AwayDesk, ann: Principal, model: str, degraded: bool
) -> None:
    await both(desk)
    await desk.server.die()
    jobs = Jobs(StoredJobs(desk.database), clock=desk.clock)
    batches = PredictionBatches(
        desk.store,
        desk.registry,
        desk.answering,
        jobs,
        clock=desk.clock,
        stand_ins=StandIns(desk.registry, desk.answering),
    )
    inputs: list[dict[str, Any]] = [{"symbol": "AAA"}, {"symbol": "BBB"}, {"symbol": "none"}]
    job = await batches.submit(ann, BatchCommand(model=model, inputs=inputs))
    async with jobs:
        done = await ended(jobs, ann, job)
    assert done.result is not None
    assert done.result["completed"] == (2 if degraded else 0)
    table = (await as_table(batches.rows(ann, job.id), "csv")).decode()
    shown = [row for row in csv.DictReader(io.StringIO(table)) if row["status"] == "completed"]
    assert all(row["askedModel"] == f"{NAME}@2" and row["model"] == f"{NAME}@1" for row in shown)
    assert all(row["degraded"] == "true" and WHY in row["degradedBecause"] for row in shown)


def test_rows_need_the_same_columns_and_a_market_does_not() -> None:
    more = msgspec.structs.replace(TOMORROW, inputs=(*TOMORROW.inputs, InputColumn(name="volume")))
    assert same_question(TOMORROW, more, {"symbol": "AAA"})
    assert not same_question(TOMORROW, more, {"features": {}})
    assert same_question(TOMORROW, TOMORROW, {"features": {}})
    for other in ({"horizon_bars": 5}, {"timeframe": "1h"}, {"unit": "%"}, {"task": "volume"}):
        changed = msgspec.structs.replace(TOMORROW, **other)
        assert not same_question(TOMORROW, changed, {"symbol": "AAA"})
