"""The code on a page of the documentation: the very text that a reader copies."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
_FENCED = re.compile(r"```\w+\n(?://|#) (?P<name>[\w.-]+)\n(?P<code>.*?)```", re.DOTALL)


def code_of(page: str) -> dict[str, str]:
    """Return the fenced blocks of `docs/PAGE` whose first line is a comment that names a file."""
    return {found["name"]: found["code"] for found in _FENCED.finditer((DOCS / page).read_text())}
