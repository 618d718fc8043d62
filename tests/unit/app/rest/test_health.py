"""What supervisors are told."""

import asyncio

from app.rest.health import HealthChecks
from tests.unit.app.rest.in_process import Open


async def fine() -> None:
    return None


async def broken() -> None:
    raise ConnectionError("postgresql://user:hunter2@db/")


async def test_a_failed_check_makes_it_not_ready_and_tells_no_secret(open_client: Open) -> None:
    client = open_client(checks={"database": broken, "journal": fine})
    alive = await client.get("/health")
    ready = await client.get("/health/ready")
    assert (alive.status_code, ready.status_code) == (200, 503)
    assert alive.json()["status"] == ready.json()["status"] == "degraded"
    checks = ready.json()["checks"]
    assert checks["database"]["status"] == "failed"
    assert checks["journal"]["status"] == "ok"
    assert "hunter2" not in ready.text


async def test_all_well(open_client: Open) -> None:
    answer = await open_client(checks={"database": fine}).get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


async def test_many_who_ask_at_once_cause_one_check() -> None:
    calls = 0

    async def counted() -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)

    checks = HealthChecks({"database": counted})
    await asyncio.gather(*(checks.run() for _ in range(50)))
    assert calls == 1
