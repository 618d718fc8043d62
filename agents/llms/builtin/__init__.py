"""The keyless model: `BuiltinLLM` answers from tool results by rules, in milliseconds, for free."""

from agents.llms.builtin.model import BuiltinLLM

__all__ = ["BuiltinLLM"]
