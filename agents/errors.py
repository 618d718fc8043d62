"""What can go wrong while an agent answers.

AgentError
├── LimitReached             a run used up its steps, time or tool calls
├── BudgetExceeded           the next attempt's reservation does not fit
├── EmptyAnswer              the LLM ended without a word or a tool call
└── LLMError                 a provider failed; `code` is stable, `retryable` and `started` decide
    ├── LLMUnauthorized      401, 403: the key is missing or wrong
    ├── LLMNotFound          404: no such model or route
    ├── LLMRejected          400, 413, 422: the request itself is refused
    ├── LLMRateLimited       429, with `retry_after_s` when the provider said so
    ├── LLMUnavailable       5xx, connection refused or reset, broken stream
    ├── LLMStalled           no byte within the time allowed
    └── LLMOverlong          it went on far beyond the length it was allowed
"""


class AgentError(Exception):
    """A run cannot go on; `code` is for programs, the message for people."""

    code = "agent_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class LimitReached(AgentError):
    code = "limit_reached"


class BudgetExceeded(AgentError):
    code = "budget_exceeded"


class EmptyAnswer(AgentError):
    code = "empty_answer"


class LLMError(AgentError):
    code = "llm_error"
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        started: bool = False,
        status: int | None = None,
        retry_after_s: float | None = None,
        streamed_characters: int = 0,
    ) -> None:
        super().__init__(message)
        self.started = started
        """Text of this attempt was already streamed, so it must not be tried again."""
        self.status = status
        self.retry_after_s = retry_after_s
        self.streamed_characters = streamed_characters


class LLMUnauthorized(LLMError):
    code = "llm_unauthorized"


class LLMNotFound(LLMError):
    code = "llm_not_found"


class LLMRejected(LLMError):
    code = "llm_rejected"


class LLMRateLimited(LLMError):
    code = "llm_rate_limited"
    retryable = True


class LLMUnavailable(LLMError):
    code = "llm_unavailable"
    retryable = True


class LLMStalled(LLMError):
    code = "llm_stalled"
    retryable = True


class LLMOverlong(LLMError):
    code = "llm_overlong"
