"""Tell an operator in a line or two what kept the desk from doing something."""

import os

from agents.errors import AgentError
from app.domain.errors import Refusal
from app.security.errors import SecurityError
from app.services.job_runs import JobFailed
from app.settings import SettingsError
from app.storage.errors import StorageError
from inference.errors import InferenceError
from tools.errors import ToolError
from tools.market.scorer import ScoringFailed
from tools.market.sources.source import SourceError
from tools.market.wheels import FetchFailed


def explain(failure: BaseException) -> str | None:
    """Return what to tell the operator, or None for a bug, whose traceback is needed."""
    if isinstance(failure, BaseExceptionGroup):
        told = [explain(part) for part in failure.exceptions]
        return "\n".join(dict.fromkeys(part for part in told if part)) if all(told) else None
    if isinstance(
        failure,
        Refusal
        | JobFailed
        | SettingsError
        | SecurityError
        | StorageError
        | AgentError
        | InferenceError
        | SourceError
        | ScoringFailed
        | ToolError
        | FetchFailed,
    ):
        return str(failure)
    if isinstance(failure, PermissionError | FileNotFoundError | NotADirectoryError):
        return f"{failure.strerror}: {failure.filename}"
    if isinstance(failure, OSError) and failure.errno is not None:
        return f"{os.strerror(failure.errno)}: {failure.filename or failure}"
    return None
