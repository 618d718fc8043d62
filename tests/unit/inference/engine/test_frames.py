import numpy as np
import pytest

from inference.engine.frames import (
    HEADER_BYTES,
    Alive,
    Done,
    Failure,
    Load,
    answers_of,
    error_of,
    failure_of,
    frame,
    given_of,
    length_of,
    read_from_worker,
    read_to_worker,
    rows_of,
    run_of,
)
from inference.errors import (
    BadInput,
    DamagedArtifact,
    InferenceError,
    MissingFramework,
    ModelFailed,
    Overloaded,
    WorkerLost,
)
from inference.requests import Answers, Rows
from inference.usage import Usage


def test_what_was_used_arrives_with_answers_and_with_failures() -> None:
    used = Usage.of("openai", "m", [(10, 2, 3, 0), None])
    failed = ModelFailed("no")
    failed.usage = (used,)
    answered = answers_of(given_of(Answers(np.zeros(2), usage=(used,)))).usage
    for (arrived,) in (answered, error_of(failure_of(failed)).usage):
        assert (arrived.provider, arrived.model, arrived.calls) == ("openai", "m", 2)
        assert np.array_equal(arrived.tokens, used.tokens, equal_nan=True)
        assert not arrived.is_complete
        assert arrived.part(0, 1).is_complete


def test_rows_arrive_as_they_were_sent_to_the_bit() -> None:
    numbers = np.array([[0.1, np.nan], [-0.0, 5e-324]])
    rows = Rows(("a", "b"), numbers, {"t": ("ü", "")})
    sent = b"".join(frame(run_of(7, "model", rows, (1, 1), explain=True)))
    assert length_of(sent[:HEADER_BYTES]) == len(sent) - HEADER_BYTES
    run = read_to_worker(sent[HEADER_BYTES:])
    assert not isinstance(run, Load)
    arrived = rows_of(run)
    assert arrived.numbers.tobytes() == numbers.tobytes()
    assert (arrived.names, arrived.texts) == (rows.names, rows.texts)


@pytest.mark.parametrize(
    "answers",
    [
        Answers(np.array([1.5, 2.5]), low=np.array([1.0, 2.0]), interval_level=0.8),
        Answers(("up", "down"), probabilities=np.eye(2), classes=("up", "down")),
        Answers(np.zeros(1), paths=np.arange(6.0).reshape(1, 2, 3), levels=(0.5,)),
    ],
)
def test_answers_arrive_as_they_were_sent(answers: Answers) -> None:
    sent = b"".join(frame(Done(3, 0.25, given_of(answers))))
    done = read_from_worker(sent[HEADER_BYTES:])
    assert isinstance(done, Done)
    assert done.together is not None
    arrived = answers_of(done.together)
    assert np.array_equal(arrived.values, answers.values)
    for name in ("low", "probabilities", "paths"):
        before, after = getattr(answers, name), getattr(arrived, name)
        assert (before is None) == (after is None)
        assert before is None or before.tobytes() == after.tobytes()
    assert (arrived.classes, arrived.levels) == (answers.classes, answers.levels)


@pytest.mark.parametrize(
    "error",
    [
        BadInput("row 1"),
        DamagedArtifact("changed"),
        ModelFailed("NaN"),
        WorkerLost("gone"),
        Overloaded("much", retry_after_s=7.0),
        MissingFramework("XGBoost", extra="xgboost"),
    ],
)
def test_an_error_is_raised_as_what_it_was(error: InferenceError) -> None:
    arrived = error_of(failure_of(error))
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert getattr(arrived, "retry_after_s", None) == getattr(error, "retry_after_s", None)


def test_an_error_that_is_not_known_is_the_models() -> None:
    assert isinstance(error_of(Failure("odd", "what is this")), ModelFailed)


def test_a_length_that_no_frame_has_is_refused() -> None:
    assert length_of(frame(Alive())[0][:HEADER_BYTES]) > 0
    with pytest.raises(ValueError, match="a frame of"):
        length_of(b"\xff" * HEADER_BYTES)


def test_a_large_body_is_sent_apart_from_its_length() -> None:
    rows = Rows(("a",), np.zeros((20_000, 1)))
    header, body = frame(run_of(1, "model", rows, (20_000,), explain=False))
    assert length_of(header) == len(body)
