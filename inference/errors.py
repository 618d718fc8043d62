"""What can go wrong in the prediction engine.

InferenceError
├── BadModel                 it cannot be accepted or read: says which part and what is allowed
│   ├── UnsafeArtifact       a format that could run code, or that is not what it says it is
│   └── DamagedArtifact      the bytes are not those that were approved
├── BadInput                 the rows do not fit the model: says which column and what is allowed
├── NotAllowed               the lifecycle forbids it: says what is missing
├── MissingFramework         the package that runs it is not installed: says how to install it
└── NotAnswered              it may work later
    ├── Overloaded           too much is waiting; retry after `retry_after_s`
    ├── DeadlineExceeded     it was not ready in time
    ├── WorkerLost           the process or server that computed it went away
    ├── NotReady             the server that would compute it is there and does not answer yet
    └── ModelFailed          it answered nonsense: NaN, the wrong length, an impossible value
        └── LeftAlone        it did so again and again, and is not asked for a while
"""

from inference.usage import Usage


class InferenceError(Exception):
    """Whatever the prediction engine reports; the message is meant for people."""

    code = "inference_failed"
    usage: tuple[Usage, ...] = ()
    """What was used of others' language models before it failed: that is paid for all the same."""


class BadModel(InferenceError):
    """The model cannot be accepted or read."""

    code = "bad_model"


class UnsafeArtifact(BadModel):
    """Its format could run code, or is not what it says it is."""

    code = "unsafe_artifact"


class DamagedArtifact(BadModel):
    """The bytes are not those that were approved; the model is to be quarantined."""

    code = "damaged_artifact"


class BadInput(InferenceError):
    """The rows do not fit the model."""

    code = "bad_input"


class NotAllowed(InferenceError):
    """The lifecycle forbids it."""

    code = "not_allowed"


class MissingFramework(InferenceError):
    """The package that would run the model is not installed."""

    code = "missing_framework"

    def __init__(self, framework: str, *, extra: str) -> None:
        super().__init__(
            f"{framework} is not installed here. Install it with: pip install 'outcry[{extra}]'"
        )
        self.framework = framework
        self.extra = extra


class NotAnswered(InferenceError):
    """There is no answer now; there may be one later."""

    code = "not_answered"


class Overloaded(NotAnswered):
    """Too much is waiting."""

    code = "overloaded"

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineExceeded(NotAnswered):
    """It was not ready in time."""

    code = "deadline_exceeded"


class WorkerLost(NotAnswered):
    """The process or server that computed it went away."""

    code = "worker_lost"


class NotReady(NotAnswered):
    """The server that would compute it is there and does not answer yet, or is left alone."""

    code = "not_ready"


class ModelFailed(NotAnswered):
    """The model answered nonsense."""

    code = "model_failed"


class LeftAlone(ModelFailed):
    """It failed again and again, and is not asked for a while."""

    code = "left_alone"


AWAY = (WorkerLost, NotReady, DeadlineExceeded, LeftAlone, BadModel, MissingFramework)
"""What says that a model is not there to answer; what it answers badly is something else."""
