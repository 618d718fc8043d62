from inference.engine.breaker import OPENS_AFTER, RESTS_S, Breaker


def opened() -> Breaker:
    breaker = Breaker()
    for _ in range(OPENS_AFTER):
        breaker.failed("NaN", now=100.0)
    return breaker


def test_it_opens_after_five_failures_in_a_row() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.failed("NaN", now=0.0)
    breaker.succeeded()
    for _ in range(4):
        breaker.failed("NaN", now=0.0)
    assert breaker.refuses_for(now=0.0) is None
    breaker.failed("NaN", now=1.0)
    assert breaker.refuses_for(now=1.0) == 30.0


def test_after_half_a_minute_one_call_may_try() -> None:
    breaker = opened()
    assert breaker.refuses_for(now=129.0) == 1.0
    assert breaker.refuses_for(now=100.0 + RESTS_S) is None
    assert breaker.refuses_for(now=130.0) is not None
    breaker.succeeded()
    assert breaker.refuses_for(now=130.0) is None


def test_a_try_that_fails_opens_it_again() -> None:
    breaker = opened()
    assert breaker.refuses_for(now=130.0) is None
    breaker.failed("NaN", now=131.0)
    assert breaker.refuses_for(now=131.0) == RESTS_S


def test_a_try_that_was_given_up_leaves_the_next_one_to_try() -> None:
    breaker = opened()
    assert breaker.refuses_for(now=130.0) is None
    breaker.gave_up()
    assert breaker.refuses_for(now=130.0) is None
