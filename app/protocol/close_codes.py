"""How a socket ends and what the client should do then.

4400 to 4407 are final, 4408 to 4499 mean "retry"; of the standard codes only 1007 and 1009 are
final. `docs/protocol.md` lists every one (`tests/contracts/test_protocol_docs.py`).
"""

from enum import IntEnum


class CloseCode(IntEnum):
    """Codes this server sends, itself or through its websocket library."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    """The bytes were not the websocket protocol."""
    INVALID_TEXT = 1007
    """A text frame was not UTF-8."""
    TOO_BIG = 1009
    """A frame was over the size limit."""
    FAILED = 1011
    """The server failed, or the client answered no ping in time: resume."""
    RESTARTING = 1012
    BAD_CLIENT = 4400
    NOT_SIGNED_IN = 4401
    FORBIDDEN = 4403
    TOO_SLOW = 4408
    """Too slow to read, or silent after connecting."""
    TOO_FAST = 4429


FINAL = frozenset(
    {
        CloseCode.PROTOCOL_ERROR,
        CloseCode.INVALID_TEXT,
        CloseCode.TOO_BIG,
        CloseCode.BAD_CLIENT,
        CloseCode.NOT_SIGNED_IN,
        CloseCode.FORBIDDEN,
    }
)
"""After these a client must not connect again unchanged."""


def may_resume(code: int) -> bool:
    """Tell whether a client that was closed with `code` should connect again by itself."""
    return code not in FINAL and code != CloseCode.NORMAL and not 4400 <= code <= 4407
