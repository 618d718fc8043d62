"""Footnotes: each number once, in order, and none for what the asker said himself."""

from typing import Any

import pytest

from app.terminal.evidence import exactly, notes_of, sources_of, with_references, with_superscripts

TEXT = "GOOG closed at 806.19, above its 20-day average of 786 and 999."


def claim(text: str, status: str = "supported", **more: Any) -> dict[str, Any]:
    end = TEXT.index(text) + len(text)
    return {"index": 7, "end": end, "text": text, "status": status, **more}


CLAIMS = [
    claim("999", "unverified"),
    claim(
        "806.19",
        value=806.19,
        unit="USD",
        label="GOOG close",
        tool="quotes",
        source="a file",
        asOf="2013-03-01T00:00:00Z",
    ),
    claim("20", "parameter"),
    claim("786", value=786.03215, label="SMA 20", tool="indicators", source="a file"),
]


def test_marks_count_what_is_shown_and_stand_behind_the_numbers() -> None:
    assert with_superscripts(TEXT, notes_of(CLAIMS)) == (
        "GOOG closed at 806.19¹, above its 20-day average of 786² and 999⁽?⁾."
    )


def test_a_pipe_gets_a_markdown_document_with_footnotes() -> None:
    assert with_references(TEXT, notes_of(CLAIMS)).splitlines() == [
        "GOOG closed at 806.19[^1], above its 20-day average of 786[^2] and 999[^?].",
        "",
        "[^1]: GOOG close: 806.19 USD; tool quotes; a file; as of 2013-03-01.",
        "[^2]: SMA 20: 786.0322; tool indicators; a file.",
        "[^?]: No evidence was found for this number.",
    ]


def test_text_without_numbers_stays_as_it_is() -> None:
    assert with_references("Hello!", notes_of([])) == "Hello!"
    assert with_superscripts("Hello!", notes_of([])) == "Hello!"


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (67.52515426, "index 0-100", "67.5252"),
        (0.84094, "0-1", "0.8409"),
        (1234567.5, "USD", "1,234,567.5 USD"),
        (0.00012345, "%", "0.0001234 %"),
        (0.0, "%", "0 %"),
        (43, "past cases", "43 past cases"),
        ("2013-03-01T00:00:00Z", None, "2013-03-01"),
        ("bullish", None, "bullish"),
    ],
)
def test_a_value_is_shown_as_exactly_as_a_person_reads_it(
    value: object, unit: str | None, shown: str
) -> None:
    assert exactly({"value": value, "unit": unit}) == shown


def test_each_source_is_named_once() -> None:
    notes = notes_of([claim("806.19", source="a", asOf="2013-03-01T00:00:00Z")] * 2)
    assert sources_of(notes) == "a, as of 2013-03-01"
    assert sources_of(notes_of([claim("999", "unverified")])) == ""
