"""`outcry predict` and `outcry settle`: forecasts in the terminal, by the same door as agents'."""

from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from app.observability.logs import configure_logging
from app.settings import Settings
from app.terminal.follow import LocalFollower
from app.terminal.session import local_principal
from app.wiring.desk import Desk, open_desk


class ForecastWanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to forecast."""

    symbol: str
    what: str
    horizon: int
    timeframe: str
    at: str | None
    as_json: bool


async def predict(settings: Settings, wanted: ForecastWanted) -> bool:
    """Print one forecast; False where there is no model for it."""
    arguments: dict[str, Any] = {
        "symbol": wanted.symbol,
        "what": wanted.what,
        "horizon": wanted.horizon,
        "timeframe": wanted.timeframe,
    }
    if wanted.at is not None:
        arguments["at"] = wanted.at
    out = Console(highlight=False)
    configure_logging(level="WARNING", json_lines=settings.log_json)
    err = Console(stderr=True, highlight=False)
    with err.status("Opening the desk …") as status:
        async with open_desk(settings, LocalFollower(), on_progress=status.update) as desk:
            answer = await desk.market.tools.call(local_principal(desk), "forecast", arguments)
            status.stop()
    if wanted.as_json:
        out.print(msgspec.json.encode(answer.data).decode(), soft_wrap=True)
    else:
        for number, line in enumerate(lines(answer.data)):
            out.print(Text(line, "bold" if number == 0 else ""), soft_wrap=True)
    return bool(answer.data["available"])


async def settle(settings: Settings) -> None:
    """Fill in how forecasts turned out, and say how many."""
    configure_logging(level="WARNING", json_lines=settings.log_json)
    out, err = Console(highlight=False), Console(stderr=True, highlight=False)
    with err.status("Opening the desk …") as status:
        async with open_desk(settings, LocalFollower(), on_progress=status.update) as desk:
            status.update("Settling …")
            written = await _settled(desk)
            status.stop()
    out.print(f"Settled {written:,} forecast{'' if written == 1 else 's'}.")


async def _settled(desk: Desk) -> int:
    return await desk.predictions.settlement.sweep()


def lines(data: dict[str, Any]) -> list[str]:
    """Return a forecast in a few lines."""
    head = f"{data['symbol']}, next {data['horizonBars']} bars of {data['timeframe']}"
    if not data["available"]:
        return [f"{head}: {data['reason']}", data["howToGetOne"], *_skill(data)]
    told = [f"{head}: {_value(data, data.get('interval'))}"]
    told.append(f"event       {data['event']}")
    if "baseline" in data:
        told.append(
            f"baseline    {data['baseline']['name']}: {_value(data['baseline'] | _of(data))}"
        )
    sure = data["confidence"]
    told.append(
        "confidence  not measured"
        if sure is None
        else f"confidence  {sure['confidencePercent']:.0f} % ({sure['measuredOn']}, "
        f"n {sure['cases']:,})"
    )
    told += _skill(data)
    until = "" if data["resolvesAt"] is None else f", known on {data['resolvesAt'][:10]}"
    told.append(f"model       {data['model']}, data to {data['lastBar']}{until}")
    if data["degraded"]:
        told.append(
            f"degraded    {data['askedModel']} could not answer ({data['degradedBecause']}): the "
            "last good version here did"
        )
    if data["afterTheFact"]:
        learned = data["learnedUntil"]
        past = "" if learned is None else f", by a model that learned from data to {learned[:10]}"
        told.append(f"made        now, after the fact{past}")
    told.append(f"prediction  {data['predictionId']}, cost: {data['cost']}")
    return told


def _skill(data: dict[str, Any]) -> list[str]:
    if "skill" not in data:
        return []
    skill = data["skill"]
    return [
        f"skill       {skill['skillPercent']:+.1f} % against {skill['against']} (95 % interval "
        f"{skill['skillLowPercent']:+.1f} to {skill['skillHighPercent']:+.1f}): {data['edge']}"
    ]


def _of(data: dict[str, Any]) -> dict[str, Any]:
    return {"what": data["what"], "timeframe": data["timeframe"]}


def _value(data: dict[str, Any], interval: dict[str, Any] | None = None) -> str:
    if "probabilityPercent" in data:
        return f"{data['probabilityPercent']:.0f} %"
    each = (
        "" if data["what"] != "volatility" else " a day" if data["timeframe"] == "1d" else " a bar"
    )
    sign = "+" if data["what"] == "returns" else ""
    value = data.get("expectedPercent", data.get("valuePercent"))
    said = f"{value:{sign}.1f} %{each}"
    if interval is None:
        return said
    return (
        f"{said} ({interval['coveragePercent']:.0f} % interval "
        f"{interval['lowPercent']:{sign}.1f} to {interval['highPercent']:{sign}.1f})"
    )
