from hypothesis import given
from hypothesis import strategies as st

from inference.engine.cache import ModelCache


def nobody(_: str) -> bool:
    return False


def test_the_least_recently_used_goes_first() -> None:
    cache: ModelCache[str] = ModelCache(20)
    cache.put("a", "A", 10, in_use=nobody)
    cache.put("b", "B", 10, in_use=nobody)
    assert cache.get("a") == "A"
    assert cache.put("c", "C", 10, in_use=nobody) == [("b", "B")]
    assert list(cache) == ["a", "c"]


def test_what_is_in_use_stays() -> None:
    cache: ModelCache[str] = ModelCache(10)
    cache.put("a", "A", 10, in_use=nobody)
    assert cache.put("b", "B", 10, in_use=lambda name: name == "a") == []
    assert cache.bytes_held == 20


def test_a_model_that_is_larger_than_everything_stays_alone() -> None:
    cache: ModelCache[str] = ModelCache(10)
    cache.put("a", "A", 10, in_use=nobody)
    assert cache.put("b", "B", 99, in_use=nobody) == [("a", "A")]
    assert "b" in cache


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 15)), max_size=50))
def test_bytes_are_those_of_what_is_held_and_stay_within_the_bound(
    puts: list[tuple[str, int]],
) -> None:
    cache: ModelCache[str] = ModelCache(30)
    held: dict[str, int] = {}
    for name, size in puts:
        held[name] = size
        for gone, _ in cache.put(name, name, size, in_use=nobody):
            del held[gone]
        assert set(cache) == set(held)
        assert cache.bytes_held == sum(held.values()) <= 30
