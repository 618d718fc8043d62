"""kill -9 of Postgres, twenty times, under a server that goes on: nothing is lost."""

import pytest

from tests.faults.crash import Plan, survive
from tests.faults.server import Server


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_twenty_kills_of_postgres_lose_nothing_and_double_nothing(own_desk: Server) -> None:
    plan = Plan(seed=20261123)

    outcome = await survive(own_desk, plan, "postgres")

    assert outcome.violations == [], outcome.report()
    assert outcome.refusals == [], outcome.printed
    assert outcome.kills_while_streaming >= plan.kills * 3 // 4, "the kills hit nothing"
    assert outcome.answers > plan.conversations, "too little was said to prove anything"
