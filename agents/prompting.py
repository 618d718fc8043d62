"""Put an agent's system prompt together from the texts in `prompts/`."""

from functools import lru_cache
from pathlib import Path

_PROMPTS = Path(__file__).with_name("prompts")


@lru_cache
def prompt(name: str) -> str:
    """Return the text of `prompts/NAME.md`."""
    return (_PROMPTS / f"{name}.md").read_text(encoding="utf-8").strip()


def system_prompt(agent_type: str, operators_text: str = "") -> str:
    """Return the rules of an agent type, followed by what the operator adds to them.

    The rules hold for every agent of the type, whatever an operator writes.
    """
    rules = prompt(agent_type)
    added = operators_text.strip()
    if not added or added == rules:
        return rules
    return f"{rules}\n\n## From the operator of this desk\n\n{added}"
