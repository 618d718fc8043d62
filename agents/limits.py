"""How far one run may go. What counts and what happens at the end is `middleware/limits.py`."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one run. The defaults leave room for any question the desk's tools can answer."""

    max_steps: int = 12
    """Calls to the LLM. The last one gets no tools, so that it must answer."""
    max_tool_calls: int = 24
    """Further calls are refused with a sentence that the LLM reads."""
    max_equal_calls: int = 3
    """How often one tool may be called with the same arguments."""
    max_seconds: float = 180.0
    """Wall time of the whole run; then it fails and keeps what was streamed."""
    tool_timeout_s: float = 20.0
    max_result_characters: int = 32_000
    """A tool result longer than this is not shown to the LLM, which is told to ask for less."""
