"""One worker's loop: the gradient of a whole batch, memory that is short, and going on again."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.errors import BadInput
from inference.training.parallel import learn as loop
from inference.training.parallel.checkpoint import Checkpoint
from inference.training.parallel.group import Single
from inference.training.parallel.learn import learn
from inference.training.parallel.lesson import CardFull, Diverged, Lesson, Weights
from inference.training.parallel.place import Place, place_for
from inference.training.parallel.team import local_team
from tests.fakes.studies import Line, line

torch = pytest.importorskip("torch")


def learned(lesson: Lesson, **more: Any) -> Weights:
    return learn(torch, lesson, device="cpu", group=Single(), **more)


class Threads:
    """A group of workers that are threads of this process: quick, and the same demands."""

    def __init__(self, rank: int, size: int, barrier: threading.Barrier, held: list[Any]) -> None:
        self.rank, self.size = rank, size
        self._barrier, self._held = barrier, held

    def sum(self, tensor: Any) -> None:
        """Implement `Group`."""
        self._meet(tensor, lambda: sum(self._held))

    def share(self, tensor: Any) -> None:
        """Implement `Group`."""
        self._meet(tensor, lambda: self._held[0])

    def _meet(self, tensor: Any, what: Callable[[], Any]) -> None:
        self._held[self.rank] = tensor.detach().clone()
        self._barrier.wait(30)
        tensor.copy_(what())
        self._barrier.wait(30)


def together(lesson: Lesson, size: int, checkpoint: Path | None = None) -> list[Weights]:
    """Return what each of several workers learned."""
    barrier, held = threading.Barrier(size), [None] * size

    def work(rank: int) -> Weights:
        group = Threads(rank, size, barrier, held)
        kept = checkpoint if rank == 0 else None
        return learn(
            torch, lesson, device="cpu", group=group, checkpoint=kept, checkpoint_every_s=0.0
        )

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(work, range(size)))


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize(("rows", "batch"), [(50, 8), (17, 5), (9, 4), (7, 1)])
def test_any_number_of_workers_learns_what_one_learns(size: int, rows: int, batch: int) -> None:
    lesson = line(rows=rows, batch=batch, epochs=4)
    whole = learned(lesson)
    for found in together(lesson, size):
        for name, one in whole.items():
            np.testing.assert_allclose(found[name], one, atol=1e-5)


def test_a_checkpoint_of_one_worker_is_one_for_three(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    path, lesson = tmp_path / "kept.safetensors", line()
    whole = learned(lesson)
    kept: list[Checkpoint] = []

    def stop(step: int, steps: int) -> None:
        found = Checkpoint.read(path)
        if found is not None:
            kept.append(found)
            raise Stopped

    with pytest.raises(Stopped):
        learned(lesson, checkpoint=path, checkpoint_every_s=0.0, tell=stop)
    assert kept[0].step == 10
    for found in together(lesson, 3, checkpoint=path):
        for name, one in whole.items():
            np.testing.assert_allclose(found[name], one, atol=1e-5)


def test_every_worker_reads_its_own_cases_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[set[int]] = [set(), set()]
    lesson = line(rows=20, batch=20, epochs=1)
    cases = Line.cases

    def note(self: Line, which: Any) -> Any:
        read[int(threading.current_thread().name.rpartition("_")[2])] |= set(which.tolist())
        return cases(self, which)

    monkeypatch.setattr(Line, "cases", note)
    together(lesson, 2)
    assert read[0] & read[1] == set()
    assert read[0] | read[1] == set(range(20))
    assert len(read[0]) == len(read[1])


def test_it_learns_the_line() -> None:
    found = learned(line(epochs=80))
    np.testing.assert_allclose(found["weight"], [[1.0, -2.0, 0.5]], atol=0.01)
    np.testing.assert_allclose(found["bias"], [0.3], atol=0.01)


def test_its_steps_are_those_of_plain_torch() -> None:
    lesson = line(epochs=3)
    study = lesson.begin(torch)
    net = study.net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=study.rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, study.steps)
    for epoch in range(3):
        for batch in study.epoch(epoch):
            x, y = (torch.from_numpy(one) for one in study.cases(batch))
            optimizer.zero_grad()
            study.losses(net, x, y).mean().backward()
            optimizer.step()
            schedule.step()
    found = learned(lesson)
    np.testing.assert_allclose(found["weight"], net.weight.detach().numpy(), rtol=1e-5)


def test_the_same_lesson_gives_the_same_bits() -> None:
    one, two = learned(line()), learned(line())
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_batches_are_parted_until_they_fit_and_the_steps_stay_the_same() -> None:
    whole, parted = learned(line()), learned(line(behaviour="full", room=2))
    np.testing.assert_allclose(parted["weight"], whole["weight"], rtol=1e-5)


def test_a_process_that_is_full_of_one_case_says_so() -> None:
    with pytest.raises(MemoryError):
        learned(line(behaviour="full", room=0))


def test_a_card_that_is_full_of_one_case_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a card of the test")
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    lesson = line(behaviour="full", room=0)
    learner = loop._Learner(torch, lesson.begin(torch), device="cpu", group=Single())
    learner.on_card = True
    with pytest.raises(CardFull, match=r"a card of the test has too little .* device=cpu"):
        learner.make_step([torch.zeros(8, 3), torch.zeros(8)])


def test_numbers_that_are_not_finite_end_it_at_once() -> None:
    with pytest.raises(Diverged, match=r"gradients were not finite at step \d of 70"):
        learned(line(hole=True))


def test_it_goes_on_from_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "kept.safetensors"

    def stop(step: int, steps: int) -> None:
        if step == 30:
            raise KeyError("enough")

    with pytest.raises(KeyError):
        learned(line(), checkpoint=path, checkpoint_every_s=0.0, tell=stop)
    kept = Checkpoint.read(path)
    assert kept is not None
    assert (kept.step, kept.done) == (20, False)
    steps: list[int] = []
    again = learned(line(), checkpoint=path, tell=lambda step, _: steps.append(step))
    assert steps[0] == 30
    whole = learned(line())
    assert all(np.array_equal(again[name], whole[name]) for name in whole)
    found = Checkpoint.read(path)
    assert found is not None
    assert found.done


def test_a_checkpoint_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    path = tmp_path / "kept.safetensors"
    path.write_bytes(b"no tensors")
    assert Checkpoint.read(path) is None
    assert Checkpoint.read(tmp_path / "missing") is None
    assert Checkpoint.read(None) is None


def test_another_lesson_has_another_name() -> None:
    names = {
        line().digest(), line(epochs=11).digest(), line(rows=51).digest(), line(hole=True).digest(),
    }  # fmt: skip
    assert len(names) == 4
    assert line().digest() in names


def test_a_lesson_arrives_as_it_was_sent(tmp_path: Path) -> None:
    sent = line(epochs=3)
    sent.write(tmp_path / "lesson")
    for arrived in (Lesson.read(tmp_path / "lesson"), Lesson.from_bytes(sent.to_bytes())):
        assert arrived.digest() == sent.digest()


@pytest.mark.parametrize(
    ("workers", "device", "says"),
    [
        (0, "cpu", "'workers' is 0; it is from 1 to 64"),
        (65, "cpu", "'workers' is 65"),
        (1, "tpu", "'device' is 'tpu'; it is one of auto, cpu, cuda"),
    ],
)
def test_what_cannot_be_anywhere_is_refused(workers: int, device: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        place_for(torch, workers, device)


def test_every_worker_has_a_card_of_its_own_or_all_compute_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H100")
    two = place_for(torch, 2, "auto")
    assert two == Place(2, "cuda", "NVIDIA H100")
    assert two.in_words() == "2 workers on NVIDIA H100"
    assert two.device_of(1) == "cuda:1"
    assert place_for(torch, 3, "auto") == Place(3, "cpu")
    assert place_for(torch, 1, "cpu").in_words() == "1 worker on the CPU"
    with pytest.raises(BadInput, match=r"with 3 worker\(s\), which need a card each; here is 2"):
        place_for(torch, 3, "cuda")


def test_one_worker_computes_in_this_process(tmp_path: Path) -> None:
    with local_team(1, "cpu") as team:
        found = team.fit(line(), checkpoint=tmp_path, tell=lambda step, steps: None)
    assert all(np.array_equal(found[name], one) for name, one in learned(line()).items())
    assert [path.stem for path in tmp_path.iterdir()] == [line().digest()]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no card")
def test_a_card_learns_what_the_processor_learns() -> None:
    found = learn(torch, line(), device="cuda:0", group=Single())
    for name, one in learned(line()).items():
        np.testing.assert_allclose(found[name], one, atol=1e-4)
