"""Every relative link of the papers leads to a file that is there, and a heading that is in it."""

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAPERS = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_IMAGE = re.compile(r"<(?:img|a|source)\b[^>]*?\b(?:src|srcset|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def links(text: str) -> list[str]:
    """Return where a paper links to inside the repository; what stands in code is no link."""
    prose = _CODE.sub("", _FENCE.sub("", text))
    found = _LINK.findall(prose) + _IMAGE.findall(prose)
    return [link for link in found if not _ELSEWHERE.match(link)]


def anchors(text: str) -> set[str]:
    """Return the anchors of a paper's headings, made as GitHub makes them."""
    seen: Counter[str] = Counter()
    made: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        made.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return made


def broken(paper: Path, text: str) -> list[str]:
    """Return the links that lead nowhere."""
    found = []
    for link in links(text):
        path, _, anchor = unquote(link).partition("#")
        there = (paper.parent / path).resolve() if path else paper
        if not there.is_relative_to(ROOT) or not there.exists():
            found.append(link)
        elif anchor and there.suffix == ".md":
            words = text if there == paper else there.read_text()
            if anchor not in anchors(words):
                found.append(link)
    return found


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: str(paper.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(paper: Path) -> None:
    assert broken(paper, paper.read_text()) == []


def test_a_broken_link_is_noticed() -> None:
    text = "# Two Words, really\n[a](nowhere.md) [b](#two-words-really) [c](#three) `[d](no.md)`\n"
    assert broken(ROOT / "docs/glossary.md", text) == ["nowhere.md", "#three"]


def test_the_readme_names_every_page() -> None:
    named = {link.partition("#")[0] for link in links((ROOT / "README.md").read_text())}
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert sorted(pages - named) == []
