"""The runtime against what real servers said: the records of `wire/`, and the same outcomes.

Record them again: python -m tests.environments.remote_servers record
"""

import numpy as np
import pytest

from inference.runtimes.remote.runtime import Deployment
from tests.contracts.remote.scenarios import EACH, IDS, SCENARIOS, Scenario
from tests.contracts.remote.wire import WIRE, Replay, read
from tests.environments.remote_servers import PRODUCTS


@pytest.mark.parametrize(("product", "scenario"), EACH, ids=IDS)
async def test_what_a_real_server_said_is_understood(product: str, scenario: Scenario) -> None:
    replay = Replay(read(product)["scenarios"][scenario.name])
    scheme = scenario.protocol if "+" in scenario.protocol else f"{scenario.protocol}+http"
    url = f"{scheme}://127.0.0.1:8000/{scenario.model}"
    deployment = Deployment(url, scenario.member, replay)
    if scenario.raises is None:
        given = await deployment.ask(scenario.rows, timeout_s=5.0)
        np.testing.assert_allclose(given, scenario.gives, rtol=1e-12)
    else:
        error, words = scenario.raises
        with pytest.raises(error, match=words) as caught:
            await deployment.ask(scenario.rows, timeout_s=5.0)
        assert type(caught.value) is error
    assert replay.at == len(replay.expected), "less is asked than was recorded"


def test_each_product_that_can_be_started_has_records_of_all_that_it_is_asked() -> None:
    assert set(SCENARIOS) == set(PRODUCTS)
    assert {path.stem for path in WIRE.glob("*.json")} == set(PRODUCTS)
    for product, scenarios in SCENARIOS.items():
        assert set(read(product)["scenarios"]) == {one.name for one in scenarios}
