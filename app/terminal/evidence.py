"""Say what the numbers of an answer rest on: footnotes for a terminal, and for Markdown. Pure."""

from typing import Any

import msgspec

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SCALES = frozenset({"0-1", "index 0-100"})
"""Units that only name a scale."""

Claim = dict[str, Any]


class Note(msgspec.Struct, frozen=True):
    """One footnote; `number` counts the supported claims, None marks one without evidence."""

    number: int | None
    end: int
    claim: Claim


def notes_of(claims: list[Claim]) -> list[Note]:
    """Return the footnotes in the order of the text; what the asker said himself needs none."""
    notes: list[Note] = []
    supported = 0
    for claim in sorted(claims, key=lambda claim: int(claim["end"])):
        if claim["status"] == "supported":
            supported += 1
            notes.append(Note(supported, claim["end"], claim))
        elif claim["status"] == "unverified":
            notes.append(Note(None, claim["end"], claim))
    return notes


def superscript(number: int | None) -> str:
    """Return the mark of a footnote in a terminal."""
    return "⁽?⁾" if number is None else str(number).translate(_SUPERSCRIPTS)


def with_superscripts(text: str, notes: list[Note]) -> str:
    """Return `text` with a superscript behind each number, "?" where there is no evidence."""
    return _marked(text, notes, superscript)


def with_references(text: str, notes: list[Note]) -> str:
    """Return `text` as Markdown with its footnotes below it."""
    marked = _marked(text, notes, lambda number: "[^?]" if number is None else f"[^{number}]")
    told = [f"[^{note.number}]: {_sentence(note.claim)}" for note in notes if note.number]
    if any(note.number is None for note in notes):
        told.append("[^?]: No evidence was found for this number.")
    return marked if not told else marked.rstrip() + "\n\n" + "\n".join(told)


def exactly(claim: Claim) -> str:
    """Return the value a claim rests on, with its unit."""
    value, unit = claim.get("value"), claim.get("unit") or ""
    if isinstance(value, str) and value.endswith("T00:00:00Z"):
        return value[:10]
    shown = _number(value) if isinstance(value, float) else str(value)
    return shown if unit in _SCALES else f"{shown} {unit}".strip()


def sources_of(notes: list[Note]) -> str:
    """Return where the numbers come from, each source once."""
    told = {
        (note.claim.get("source") or "", (note.claim.get("asOf") or "")[:10])
        for note in notes
        if note.number is not None
    }
    return "; ".join(f"{source}, as of {as_of}" for source, as_of in sorted(told))


def _number(value: float) -> str:
    if value and abs(value) < 0.01:
        return f"{value:.4g}"
    return f"{value:,.4f}".rstrip("0").rstrip(".")


def _marked(text: str, notes: list[Note], mark: Any) -> str:
    marked = text
    for note in reversed(notes):
        marked = marked[: note.end] + mark(note.number) + marked[note.end :]
    return marked


def _sentence(claim: Claim) -> str:
    said = [f"{claim.get('label') or 'value'}: {exactly(claim)}"]
    if claim.get("tool"):
        said.append(f"tool {claim['tool']}")
    if claim.get("source"):
        said.append(claim["source"])
    if claim.get("asOf"):
        said.append(f"as of {claim['asOf'][:10]}")
    return "; ".join(said) + "."
