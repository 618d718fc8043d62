import pytest

from app.domain.errors import TooManyAttempts
from app.security.lockout import Lockout, LockoutPolicy

POLICY = LockoutPolicy(account_failures=3, address_failures=5, window_s=900, remembered=50)


def fail(lockout: Lockout, account: str | None, address: str, *, now: float, times: int) -> None:
    for _ in range(times):
        lockout.failed(account, address, now=now)


def test_an_account_waits_after_its_failures_wherever_they_came_from() -> None:
    lockout = Lockout(POLICY)
    for n in range(3):
        lockout.check("ann", f"10.0.0.{n}", now=n)
        lockout.failed("ann", f"10.0.0.{n}", now=n)

    with pytest.raises(TooManyAttempts) as refused:
        lockout.check("ann", "10.9.9.9", now=10)

    assert refused.value.retry_after_s == 890
    lockout.check("bob", "10.9.9.9", now=10)
    lockout.check("ann", "10.9.9.9", now=900)


def test_an_address_waits_after_failures_on_many_accounts() -> None:
    lockout = Lockout(POLICY)
    for n in range(5):
        lockout.failed(f"user{n}", "10.0.0.1", now=0)

    with pytest.raises(TooManyAttempts):
        lockout.check("somebody else", "10.0.0.1", now=1)
    with pytest.raises(TooManyAttempts):
        lockout.check(None, "10.0.0.1", now=1)
    lockout.check("somebody else", "10.0.0.2", now=1)


def test_signing_in_forgets_the_account_and_is_no_failure_of_the_address() -> None:
    lockout = Lockout(POLICY)
    for _ in range(20):
        lockout.failed("ann", "10.0.0.1", now=0)
        lockout.succeeded("ann", "10.0.0.1")
        lockout.check("ann", "10.0.0.1", now=0)


def test_memory_is_bounded_whatever_is_tried() -> None:
    lockout = Lockout(POLICY)
    for n in range(10_000):
        lockout.failed(f"user{n}", f"10.{n}", now=n)

    assert len(lockout._failures) == POLICY.remembered
