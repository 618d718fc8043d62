"""kill -9 of the server, twenty times, while twenty conversations stream: nothing is lost."""

import pytest

from tests.faults.crash import Plan, survive
from tests.faults.server import Server


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_twenty_kills_of_the_server_lose_nothing_and_double_nothing(own_desk: Server) -> None:
    plan = Plan(seed=20261122)

    outcome = await survive(own_desk, plan, "server")

    assert outcome.violations == [], outcome.report()
    assert outcome.refusals == [], outcome.printed
    assert outcome.kills_while_streaming >= plan.kills * 3 // 4, "the kills hit nothing"
    assert outcome.answers > plan.conversations, "too little was said to prove anything"
