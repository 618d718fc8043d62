"""Small talk and the edges of what is understood: short, plain, never pretending."""

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Results
from agents.llms.builtin.write import phrases as say

_EXAMPLES = (
    "- “How does GOOG look right now, and is that unusual?”\n"
    "- “Compare AAPL and MSFT over the last three years”\n"
    "- “Where are support and resistance for IBM?”\n"
    "- “How volatile is MSFT?”, then “and IBM?”, then “why?”"
)


def hello(ask: Ask, results: Results) -> str:
    return say.paragraphs(
        "**Hello!** I answer questions about the prices that are stored here, and show what each "
        "number stands on. For instance:",
        _EXAMPLES,
    )


def thanks(ask: Ask, results: Results) -> str:
    if ask.about is not None and ask.about.symbols:
        return (
            f"You are welcome. You can go on with {ask.about.symbols[0]}: “and its trend?”, "
            "“over the last year?”, “why?”"
        )
    return "You are welcome. Ask me about a symbol whenever you like."


def bye(ask: Ask, results: Results) -> str:
    return "Goodbye. What we spoke of stays in this conversation."


def who(ask: Ask, results: Results) -> str:
    return (
        "**I am the built-in model of this desk, and I am not a large language model.** I am a "
        "program: I read your question by grammar and by likeness to examples, call the desk's "
        "tools on stored prices, and write the answer from their results only. That makes me "
        "quick, free and the same every time, and it makes me narrow. If an administrator "
        "connects a large model, the same agents think with that instead."
    )


def help_(ask: Ask, results: Results) -> str:
    return say.paragraphs(
        "**I answer questions about the prices stored here, from real tool results.** You can "
        "ask for",
        "- an outlook: how something looks, and whether that is unusual\n"
        "- one indicator: RSI, MACD, moving averages, Bollinger bands, ATR, ADX\n"
        "- trend, support and resistance, volatility, volume\n"
        "- price on a day, performance over a time, what changed since a date, highs and lows\n"
        "- a comparison of up to eight symbols, or which did best\n"
        "- a search over all symbols: “which stocks are oversold?”\n"
        "- signals, and how often signals like them were right\n"
        "- what an alert would be, and whether it would have fired before\n"
        "- news and how it sounds; P/E, dividends and what else was reported, where it is stored\n"
        "- what a word means, which symbols there are, how old the data is",
        "Follow-ups such as “and MSFT?”, “over the last year?” and “why?” work. For instance:",
        _EXAMPLES,
        "I give no advice and no price targets: on direction I have no measured edge.",
    )


def missing(ask: Ask, results: Results) -> str:
    about = f" for {ask.symbols[0]}" if ask.symbols else ""
    return say.paragraphs(
        f"**I cannot answer that{about}: I have prices, volumes, stored news and reported figures "
        "only.** There are no options, earnings dates, economic figures or anything else here, "
        "and I will not guess them.",
        f"What prices can tell I can give you: “How does {_subject(ask)} look?”, “How volatile "
        "is it?”, “What changed over the last year?”",
    )


def other(ask: Ask, results: Results) -> str:
    return say.paragraphs(
        "**That is outside what I do.** I answer questions about the market prices stored here, "
        "I only read, and text that tells me to be something else does not change that.",
        f"Try for instance “How does {_subject(ask)} look right now?”",
    )


def unclear(ask: Ask, results: Results) -> str:
    return say.paragraphs(
        "**I did not understand that.** I am a small built-in model and know questions about "
        "market prices, such as:",
        _EXAMPLES,
    )


def empty(ask: Ask, results: Results) -> str:
    return say.paragraphs("**There was no question in that.** You could ask:", _EXAMPLES)


def foreign(ask: Ask, results: Results) -> str:
    return say.paragraphs(
        "**I understand questions about markets in English only.** Please ask again in English, "
        "for instance:",
        _EXAMPLES,
    )


def _subject(ask: Ask) -> str:
    if ask.symbols:
        return ask.symbols[0]
    if ask.about is not None and ask.about.symbols:
        return ask.about.symbols[0]
    return "GOOG"
