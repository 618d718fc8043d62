from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from inference.engine.batcher import Batch, Batcher, Call, Group, Limits, ModelTraits
from inference.engine.requests import Priority

SUM = Group("sum", ("a",))


def batcher(*, max_batch: int = 10, **limits: Any) -> Batcher:
    made = Batcher(Limits(**limits))
    made.know("sum", ModelTraits(max_batch=max_batch))
    made.know("other", ModelTraits(max_batch=max_batch))
    return made


def call(number: int, rows: int = 1, group: Group = SUM, **more: Any) -> Call:
    return Call(**{"id": number, "group": group, "rows": rows, "deadline": 100.0, **more})


def ids(batch: Batch | None) -> list[int]:
    return [] if batch is None else [one.id for one in batch.calls]


def test_what_waits_runs_together_up_to_the_models_bound() -> None:
    queue = batcher(max_batch=3)
    for number in range(5):
        queue.add(call(number))
    first = queue.take(now=0.0)
    assert first is not None
    assert ids(first) == [0, 1, 2]
    assert queue.take(now=0.0) is None  # one batch of a model at a time
    queue.done(first.id)
    assert ids(queue.take(now=0.0)) == [3, 4]


def test_a_call_that_is_larger_than_a_batch_runs_by_itself() -> None:
    queue = batcher(max_batch=3)
    queue.add(call(1, rows=50))
    queue.add(call(2))
    assert ids(queue.take(now=0.0)) == [1]


def test_a_small_call_does_not_overtake_a_large_one() -> None:
    queue = batcher(max_batch=4)
    for number, rows in enumerate([2, 3, 1]):
        queue.add(call(number, rows=rows))
    assert ids(queue.take(now=0.0)) == [0]


def test_only_the_same_columns_and_wishes_share_a_batch() -> None:
    queue = batcher(per_model=3, lanes={"compute": 3})
    queue.add(call(1))
    queue.add(call(2, group=Group("sum", ("b",))))
    queue.add(call(3, group=Group("sum", ("a",), explain=True)))
    queue.add(call(4))
    assert [ids(queue.take(now=0.0)) for _ in range(3)] == [[1, 4], [2], [3]]


def test_people_go_before_jobs_which_fill_the_room_that_is_left() -> None:
    queue = batcher(max_batch=3)
    queue.add(call(1, priority="batch"))
    queue.add(call(2, priority="batch", group=Group("other", ("a",))))
    queue.add(call(3))
    assert ids(queue.take(now=0.0)) == [3, 1]


def test_a_job_has_its_turn_after_some_batches_of_people() -> None:
    queue = batcher(max_batch=1)
    queue.add(call(0, priority="batch"))
    order = []
    for number in range(1, 8):
        queue.add(call(number))
        batch = queue.take(now=0.0)
        assert batch is not None
        order += ids(batch)
        queue.done(batch.id)
    assert order == [1, 2, 3, 4, 0, 5, 6]


def test_a_call_whose_deadline_passed_is_not_run() -> None:
    queue = batcher()
    queue.add(call(1, deadline=5.0))
    queue.add(call(2))
    assert ids(queue.take(now=5.0)) == [2]
    assert [late.id for late in queue.expire(now=5.0)] == [1]
    assert len(queue) == 0


def test_a_call_that_is_dropped_is_not_run() -> None:
    queue = batcher()
    queue.add(call(1))
    queue.add(call(2))
    assert queue.drop(1) is not None
    assert queue.drop(1) is None
    assert ids(queue.take(now=0.0)) == [2]


def test_a_model_waits_until_it_is_known() -> None:
    queue = Batcher(Limits())
    queue.add(call(1))
    assert queue.take(now=0.0) is None
    queue.know("sum", ModelTraits(max_batch=1))
    assert ids(queue.take(now=0.0)) == [1]


def test_a_model_that_waits_for_another_computer_does_not_hold_up_ours() -> None:
    queue = batcher(lanes={"compute": 1, "distant": 2})
    queue.know("other", ModelTraits(max_batch=10, lane="distant"))
    queue.add(call(1, group=Group("other", ("a",))))
    queue.add(call(2))
    assert [ids(queue.take(now=0.0)) for _ in range(2)] == [[1], [2]]


def test_a_call_that_ran_in_vain_is_first_and_by_itself() -> None:
    queue = batcher()
    queue.add(call(5))
    queue.add_again(call(3, alone=True))
    assert ids(queue.take(now=0.0)) == [3]


def test_a_lane_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        batcher().know("sum", ModelTraits(lane="moon"))


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes in any order: no call is lost or run twice, and no limit is passed."""

    @initialize(per_model=st.integers(1, 2), compute=st.integers(1, 3), rows=st.integers(1, 6))
    def begin(self, per_model: int, compute: int, rows: int) -> None:
        self.limits = Limits(per_model=per_model, lanes={"compute": compute, "distant": 2})
        self.queue = Batcher(self.limits)
        self.max_batch = rows
        for model, lane in (("a", "compute"), ("b", "compute"), ("c", "distant")):
            self.queue.know(model, ModelTraits(max_batch=rows, lane=lane))
        self.now = 0.0
        self.number = 0
        self.waiting: dict[int, Call] = {}
        self.running: dict[int, Batch] = {}
        self.ran: Counter[int] = Counter()
        self.passed_by: Counter[int] = Counter()

    @rule(
        model=st.sampled_from("abc"),
        rows=st.integers(1, 8),
        priority=st.sampled_from(["interactive", "batch"]),
        life=st.integers(1, 30),
        explain=st.booleans(),
    )
    def add(self, model: str, rows: int, priority: Priority, life: int, explain: bool) -> None:
        group = Group(model, ("x",), explain=explain)
        made = Call(self.number, group, rows, self.now + life, priority)
        self.number += 1
        self.queue.add(made)
        self.waiting[made.id] = made

    @rule()
    def take(self) -> None:
        batch = self.queue.take(now=self.now)
        if batch is None:
            return
        for one in batch.calls:
            assert self.waiting.pop(one.id) is one
            assert one.deadline > self.now
            assert one.group == batch.group
            self.ran[one.id] += 1
        assert batch.rows <= self.max_batch or len(batch.calls) == 1
        self.running[batch.id] = batch
        for other in self.waiting.values():
            # Someone of the same group and priority who came later never goes first.
            for one in batch.calls[:1]:
                if (one.group, one.priority) == (other.group, other.priority):
                    assert other.id > one.id or other.deadline <= self.now

    @precondition(lambda self: bool(self.running))
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        batch_id = data.draw(st.sampled_from(sorted(self.running)))
        assert self.queue.done(batch_id) is self.running.pop(batch_id)

    @precondition(lambda self: bool(self.running))
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """A worker is lost: its calls wait again, each by itself."""
        batch = self.queue.done(data.draw(st.sampled_from(sorted(self.running))))
        del self.running[batch.id]
        for one in batch.calls:
            self.ran[one.id] -= 1
            one.alone = True
            self.queue.add_again(one)
            self.waiting[one.id] = one

    @precondition(lambda self: bool(self.waiting))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.waiting)))
        assert self.queue.drop(number) is self.waiting.pop(number)

    @rule(seconds=st.integers(1, 10))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds
        late = {number for number, one in self.waiting.items() if one.deadline <= self.now}
        assert {one.id for one in self.queue.expire(now=self.now)} == late
        for number in late:
            del self.waiting[number]

    @rule()
    def drain(self) -> None:
        """Nobody starves: with room, everything that waits runs in the end."""
        for batch_id in sorted(self.running):
            self.queue.done(batch_id)
        self.running.clear()
        # What a lost worker gave back may have come too late.
        for late in self.queue.expire(now=self.now):
            assert self.waiting.pop(late.id).deadline <= self.now
        for _ in range(len(self.waiting)):
            batch = self.queue.take(now=self.now)
            if batch is None:
                break
            for one in batch.calls:
                del self.waiting[one.id]
                self.ran[one.id] += 1
            self.queue.done(batch.id)
        assert self.waiting == {}

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        if not hasattr(self, "queue"):
            return
        assert len(self.queue) == len(self.waiting)
        assert all(times <= 1 for times in self.ran.values())
        for priority, rows in self.queue.waiting().items():
            expected: Counter[str] = Counter()
            for one in self.waiting.values():
                if one.priority == priority:
                    expected[one.group.model] += one.rows
            assert rows == dict(expected)

    @invariant()
    def no_limit_is_passed(self) -> None:
        if not hasattr(self, "queue"):
            return
        by_model = Counter(batch.group.model for batch in self.running.values())
        by_lane = Counter(batch.lane for batch in self.running.values())
        assert all(count <= self.limits.per_model for count in by_model.values())
        assert all(count <= self.limits.lanes[lane] for lane, count in by_lane.items())
        assert {b.id for b in self.queue.running()} == set(self.running)


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnyOrder = AnyOrder.TestCase


def test_jobs_never_starve_however_many_people_come() -> None:
    queue = batcher(max_batch=2)
    queue.add(call(0, priority="batch", rows=2))
    for number in range(1, 40, 2):
        queue.add(call(number, deadline=1e9))
        queue.add(call(number + 1, deadline=1e9))
        batch = queue.take(now=0.0)
        assert batch is not None
        queue.done(batch.id)
        if 0 in ids(batch):
            assert number < 12
            return
    pytest.fail("the job never ran")
