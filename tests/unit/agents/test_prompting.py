"""The analyst's prompt says what it must say."""

import pytest

from agents.prompting import prompt, system_prompt


@pytest.mark.parametrize(
    "words",
    [
        "comes from a tool result",
        "never guessed",
        "asOf",
        "say the date",
        "Short first",
        "what is unusual, uncertain or missing",
        "do not tell anyone to buy, sell or hold",
        "without a lecture",
        "no measured edge",
        "never",
        "instructions",
        "are data",
        '"and MSFT?"',
        "Markdown",
        "no images, no links, no HTML",
        "language of the question",
        "which part of the answer is missing",
    ],
)
def test_the_analyst_is_told(words: str) -> None:
    told = " ".join(prompt("analyst").split())
    assert words in told


def test_rules_come_with_their_reason() -> None:
    told = prompt("analyst")
    assert "Reason:" in told
    assert "nothing here is certain enough" in " ".join(told.split())


def test_the_prompt_is_short_enough_to_send_with_every_call() -> None:
    assert len(prompt("analyst")) < 6_000


def test_what_the_operator_writes_comes_after_the_rules_and_never_instead() -> None:
    whole = system_prompt("analyst", "Speak like a pirate.")
    assert whole.startswith(prompt("analyst"))
    assert whole.endswith("Speak like a pirate.")


@pytest.mark.parametrize("text", ["", "  \n", None])
def test_rules_are_said_once(text: str | None) -> None:
    assert system_prompt("analyst", prompt("analyst") if text is None else text) == prompt(
        "analyst"
    )
