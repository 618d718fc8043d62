"""News: how it sounds, and who said what. Titles are words of third parties and stand in quotes."""

from typing import Any

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results, day, number, text
from agents.llms.builtin.write import common
from agents.llms.builtin.write import phrases as say

SHOWN = 5
_CLEAR, _SLIGHT = 0.3, 0.1


def news(ask: Ask, results: Results) -> str:
    """Write the news on each symbol that was asked about."""
    found = [one for one in results.items if one.tool == "news" and one.data is not None]
    return say.paragraphs(*(_one(ask, result) for result in found))


def _one(ask: Ask, result: Result) -> str:
    symbol = result.text("symbol")
    headlines = result.rows("headlines")
    if not headlines:
        return _none(symbol, result)
    return say.paragraphs(
        say.sentences(_lead(ask, symbol, result), _invented(result, headlines)),
        "\n".join(f"- {_line(row)}" for row in headlines[:SHOWN]),
        say.sentences(_agreement(result), _about(result)),
        "That is how the words sound, by rules; it has not been measured to predict a price.",
    )


def _none(symbol: str, result: Result) -> str:
    notes = result.at("notes")
    said = [text({"n": note}, "n") for note in notes] if isinstance(notes, list) else []
    before = next((note for note in said if "the newest before" in note), "")
    if before:
        return f"**{before}**"
    return f"**I have no news on {symbol} for that time.**"


def _lead(ask: Ask, symbol: str, result: Result) -> str:
    score, stories = result.number("sentiment", "score"), result.number("sentiment", "stories")
    newest = day(result.at("headlines", 0), "publishedAt")
    if score is None or stories is None or newest is None:
        return f"**Here is the news on {symbol}.**"
    many = "one story" if stories == 1 else f"{say.count(stories)} stories"
    last = "" if common.is_for_day(ask) else ", the newest I have"
    return (
        f"**The news on {symbol} sounds {_sound(score)}: {say.small(score)}** on a scale from "
        f"minus one to one, from {many} up to {say.on_day(newest)}{last}."
    )


def _sound(score: float) -> str:
    if abs(score) < _SLIGHT:
        return "neutral"
    side = "positive" if score > 0 else "negative"
    return side if abs(score) >= _CLEAR else f"slightly {side}"


def _invented(result: Result, headlines: list[dict[str, Any]]) -> str:
    if result.at("synthetic") is not True:
        return ""
    every = all(row.get("synthetic") is True for row in headlines)
    which = "These headlines were" if every else "Some of these headlines were"
    return f"{which} **invented for the demonstration**: they are not real news."


def _line(row: dict[str, Any]) -> str:
    on, source, title = day(row, "publishedAt"), text(row, "sourceName"), text(row, "title")
    label = "unsure" if row.get("unsure") is True else text(row, "label")
    head = f"{say.on_day(on)}, " if on is not None else ""
    return f"{head}{source}: “{title}” ({label})"


def _agreement(result: Result) -> str:
    """Return how much the stories agree, in words: the number itself says little to people."""
    stories = result.number("sentiment", "stories")
    split = number(result.at("sentiment"), "disagreement")
    if stories is None or stories < 2 or split is None:
        return ""
    if split < 0.35:
        return "The stories mostly agree."
    return "The stories differ." if split < 0.75 else "The stories contradict one another."


def _about(result: Result) -> str:
    topics = result.at("sentiment", "topics")
    named = [text({"t": one}, "t") for one in topics] if isinstance(topics, list) else []
    return f"They are about {say.listed(named[:3])}." if named else ""
