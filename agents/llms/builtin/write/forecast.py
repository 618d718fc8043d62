"""What to expect: forecasts with baseline, confidence and skill; and how past ones went."""

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results, day, number, text
from agents.llms.builtin.write import advice, common, expected
from agents.llms.builtin.write import phrases as say

_SUBJECTS = {
    "volatility": "how much it moves",
    "returns": "a range of returns",
    "regime": "turbulent stretches",
    "direction": "the direction",
}


def forecast(ask: Ask, results: Results) -> str:
    """Write what the models expect; without any, what is known instead."""
    made = expected.found(results)
    available = {what: one for what, one in made.items() if one.at("available") is True}
    judged = [_judged(one) for one in made.values() if one.at("available") is False]
    if not available:
        return say.paragraphs(advice.forecast(ask, results, *judged), _how(made))
    indicators = results.good("indicators")
    parts = []
    for what, one in available.items():
        match what:
            case "volatility":
                parts.append(say.sentences(expected.volatility(one, indicators), _worth(one)))
            case "returns":
                parts.append(say.sentences(_returns(one), _worth(one)))
            case "regime":
                parts.append(say.sentences(_regime(one), _worth(one)))
            case _:
                parts.append(direction(one))
    parts += judged
    absent = {what: one for what, one in made.items() if what not in available}
    return say.paragraphs(
        *parts,
        *_stood_in(available),
        _how(absent),
        _about(next(iter(available.values())), ask),
        common.missing_parts(results, {"forecast": "a forecast"}),
    )


def direction(one: Result) -> str:
    """Return what the model of the direction says, and what that is worth."""
    share = one.number("probabilityPercent")
    if share is None:
        return ""
    beside = one.number("baseline", "probabilityPercent")
    name = one.text("baseline", "name")
    figures = f"the model gives a rise over {expected.span(one)} {say.percent(share)}"
    if beside is not None:
        figures += f", and {name} alone {say.percent(beside)}"
    if one.text("edge") == "measured edge":
        return say.sentences(f"On direction there is a **measured edge**: {figures}.", _worth(one))
    return f"On direction I have **no measured edge**: {figures}."


def past(ask: Ask, results: Results) -> str:
    """Write how earlier forecasts turned out."""
    one = results.good("past_forecasts")
    if one is None:
        if results.find("past_forecasts") is None:
            return ""
        return (
            "**I have made no forecast for you here yet.** Ask what I expect of a symbol; when "
            "its horizon is over, I tell how it turned out."
        )
    settled, right = one.number("settledCount"), one.number("rightCount")
    waiting, about = one.number("openCount"), one.text("symbol")
    of = f" of {about}" if about else ""
    if not settled or right is None:
        head = f"**None of my forecasts{of} has come to its end yet.**"
    else:
        were = "was" if right == 1 else "were"
        head = f"**{say.count(right)} of {say.count(settled)} settled forecasts{of} {were} right.**"
    more = ""
    if waiting:
        more = f"{say.count(waiting)} {'is' if waiting == 1 else 'are'} still open."
    less = one.number("lossAgainstBaselinePercent")
    beside = ""
    if less is not None:
        side = "below" if less < 0 else "above"
        beside = f"Their loss is {say.percent(abs(less))} {side} that of the plain baseline."
    listed = [_past_line(row) for row in one.rows("forecasts")]
    return say.paragraphs(say.sentences(head, more, beside), "\n".join(listed))


def _returns(one: Result) -> str:
    low, high = one.number("interval", "lowPercent"), one.number("interval", "highPercent")
    level = one.number("interval", "coveragePercent")
    if low is None or high is None or level is None:
        return ""
    said = (
        f"Over {expected.span(one)} I expect a change between **{say.signed(low)} and "
        f"{say.signed(high)}** "
        f"({say.percent(level, digits=0)} interval)"
    )
    below, above = one.number("baseline", "lowPercent"), one.number("baseline", "highPercent")
    if below is not None and above is not None:
        said += (
            f", against {say.signed(below)} to {say.signed(above)} from "
            f"{one.text('baseline', 'name')}"
        )
    return f"{said}."


def _regime(one: Result) -> str:
    share, beside = one.number("probabilityPercent"), one.number("baseline", "probabilityPercent")
    if share is None:
        return ""
    said = f"A turbulent stretch over {expected.span(one)} has a probability of "
    said += f"**{say.percent(share)}**"
    if beside is not None:
        said += f", against {say.percent(beside)} from {one.text('baseline', 'name')}"
    return f"{said}."


def _worth(one: Result) -> str:
    """Return how sure that is, and what the model is worth."""
    said = []
    sure, cases = one.number("confidence", "confidencePercent"), one.number("confidence", "cases")
    came_true = one.number("confidence", "cameTruePercent")
    if sure is not None and cases is not None:
        if one.number("interval", "lowPercent") is not None:
            said.append(
                f"Such intervals held {say.percent(sure)} of the time (n {say.count(cases)})."
            )
        elif came_true is not None:
            answer = one.text("answer")
            said.append(
                f"Its confidence in “{answer}” is {say.percent(sure)}; of answers as sure as that "
                f"{say.percent(came_true)} came true (n {say.count(cases)})."
            )
    else:
        said.append("How often that holds, nobody has measured.")
    said.append(_skill(one))
    return " ".join(part for part in said if part)


def _skill(one: Result) -> str:
    """Return how the model did on what it had not seen, against its hardest baseline."""
    skill = one.number("skill", "skillPercent")
    low, high = one.number("skill", "skillLowPercent"), one.number("skill", "skillHighPercent")
    if skill is None or low is None or high is None:
        return ""
    coverage = say.percent(one.number("skill", "intervalPercent") or 95, digits=0)
    metric, against = one.text("skill", "metric"), one.text("skill", "against")
    over = f"its {metric} was {say.percent(skill)} below that of {against}"
    if skill < 0:
        over = f"against {against} its skill by {metric} was {say.percent(skill)}"
    over += f" ({coverage} interval {say.percent(low)} to {say.percent(high)})"
    if one.text("edge") == "measured edge" or one.at("available") is False:
        return f"On data it had not seen, {over}."
    return f"There is **no measured edge**: on data it had not seen, {over}."


def _about(one: Result, ask: Ask) -> str:
    """Return which model said so, from which data, and when it can be known."""
    model, last, due = one.text("model"), one.day("lastBar"), one.day("resolvesAt")
    if last is None:
        return ""
    said = f"Asked: `{model}`, with data to {say.on_day(last)}"
    if not common.is_for_day(ask):
        said += ", the last bar I have"
    if due is not None:
        turned = "was" if one.at("afterTheFact") is True else "can be"
        said += f"; how it turned out {turned} known on {say.on_day(due)}"
    return f"{said}.{_looking_back(one)}"


def _looking_back(one: Result) -> str:
    """Say of a forecast of the past that it was not made then."""
    if one.at("afterTheFact") is not True:
        return ""
    learned, last = one.day("learnedUntil"), one.day("dataClosedAt")
    said = " It was not made then but now"
    if learned is not None and last is not None and learned > last:
        said += f", by a model that learned from data up to {say.on_day(learned)}: it may know "
        said += "what followed"
    return f"{said}."


def _stood_in(made: dict[str, Result]) -> list[str]:
    """Say whose place another version took, once each."""
    told = {
        (one.text("askedModel"), one.text("model"))
        for one in made.values()
        if one.at("degraded") is True
    }
    return [
        f"**Degraded:** `{asked}` could not answer, so `{model}` did, the last good version here."
        for asked, model in sorted(told)
    ]


def _judged(one: Result) -> str:
    """Say that a model was trained for it and is no better than its baseline."""
    if one.text("edge") != "no measured edge":
        return ""
    what = "direction" if one.text("what") == "direction" else _SUBJECTS[one.text("what")]
    return (
        f"On {what} the model has **no measured edge**: it was trained and judged, and does not "
        f"serve. {_skill(one)}"
    )


def _how(absent: dict[str, Result]) -> str:
    """Say what is not forecast here, and how to get there."""
    absent = {what: one for what, one in absent.items() if not one.text("edge")}
    if not absent:
        return ""
    subjects = say.listed((_SUBJECTS[what] for what in absent), word="or")
    first = next(iter(absent.values()))
    return (
        f"No model here forecasts {subjects} for {expected.span(first)} yet. An administrator can "
        f"train one with `{_command(first)}`."
    )


def _command(one: Result) -> str:
    return " ".join(one.text("howToGetOne").split()[:2]) or "outcry train"


def _past_line(row: dict[str, object]) -> str:
    made, symbol = day(row, "madeOf"), text(row, "symbol")
    what, grade = text(row, "what"), text(row, "grade")
    bars = int(number(row, "horizonBars") or 0)
    span = "the next bar" if bars == 1 else f"the next {bars} bars"
    head = f"- **{symbol}**, {_SUBJECTS.get(what, what)} for {span}"
    if made is not None:
        head += f", made on {say.on_day(made)}"
    low, high = number(row, "lowPercent"), number(row, "highPercent")
    happened = number(row, "happenedPercent")
    shown = say.signed if what == "returns" else say.percent
    said = ""
    if low is not None and high is not None:
        said = f"{shown(low)} to {shown(high)} expected"
    elif (share := number(row, "probabilityPercent")) is not None:
        said = f"{say.percent(share)} for {'a rise' if what == 'direction' else 'turbulence'}"
    came = ""
    if happened is not None:
        came = f"{shown(happened)} happened"
    elif text(row, "happened"):
        came = f"it was “{text(row, 'happened')}”"
    return f"{head}: {', '.join(part for part in (said, came) if part)}: **{grade}**."
