"""The answers, one writer per intent. `write` picks the writer."""

from agents.llms.builtin.write.answer import write

__all__ = ["write"]
