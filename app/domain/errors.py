"""Refusals that every door words the same way.

Refusal
├── NotFound             unknown, or not yours: the two read alike
├── Forbidden            known to you, but not allowed
├── Invalid              the request itself is wrong; says what is allowed
├── Conflict             it contradicts what is stored (`code` tells how)
│   └── Unreadable       a model's files cannot be read
├── Unauthenticated      nobody is signed in
├── TooLarge             over a limit; names both numbers
├── TooManyAttempts      slow down; try again after `retry_after_s`
└── Unavailable          not now; try again after `retry_after_s`
"""


class Refusal(Exception):
    """A request that will not be done. `code` is stable, `message` is for a person."""

    status = 400
    default_code = "refused"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.retry_after_s = retry_after_s


class NotFound(Refusal):
    status = 404
    default_code = "not_found"


class Forbidden(Refusal):
    status = 403
    default_code = "forbidden"


class Invalid(Refusal):
    status = 422
    default_code = "invalid"


class Conflict(Refusal):
    status = 409
    default_code = "conflict"


class Unreadable(Conflict):
    """A model's files cannot be read, so that nobody can say what it reads."""


class Unauthenticated(Refusal):
    status = 401
    default_code = "unauthenticated"


class TooLarge(Refusal):
    status = 413
    default_code = "too_large"


class TooManyAttempts(Refusal):
    status = 429
    default_code = "too_many_attempts"


class Unavailable(Refusal):
    status = 503
    default_code = "unavailable"
