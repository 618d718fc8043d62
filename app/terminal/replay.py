"""`outcry replay`: show a real past again, bar by bar, to whoever looks at the desk."""

import asyncio
import signal
from collections.abc import Sequence
from datetime import date

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from app.domain.principal import Principal
from app.domain.runs import StoredEvent
from app.observability.logs import configure_logging
from app.security.people import utc_now
from app.services.alerts.alert_wishes import AlertWishes
from app.services.alerts.alerts import Alerts
from app.services.market.replays import Replay, Replays, bars_per_second, in_step
from app.settings import Settings
from app.storage.replays import StoredReplays
from app.terminal.keys import keys
from app.terminal.session import local_principal
from app.wiring.desk import Desk, open_desk
from tools.market.replays import original

WATCHED = {
    "any": [
        {"field": "rsi", "op": "crosses_above", "value": 70},
        {"field": "rsi", "op": "crosses_below", "value": 30},
        {"field": "close", "op": "crosses_above", "value": {"field": "sma200"}},
        {"field": "close", "op": "crosses_below", "value": {"field": "sma200"}},
    ]
}
"""What the alert of a replay waits for when nothing else is said: it happens every few weeks."""
_NAME = "Replay of {}"
_COOLDOWN_BARS = 20


class ReplayWishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    symbols: tuple[str, ...]
    timeframe: str
    start: date | None
    end: date | None
    speed: str
    alert: str | None
    """In plain words; None takes `WATCHED`, an empty one makes no alert."""


class _Nobody:
    def publish(self, events: Sequence[StoredEvent]) -> None:
        """No run happens in this process."""


class _Control:
    """Goes on, pauses and stops, as keys and signals say."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self._going = asyncio.Event()
        self._going.set()

    @property
    def paused(self) -> bool:
        return not self._going.is_set()

    def press(self, key: str) -> None:
        """Space or p pauses and goes on; q stops."""
        if key in "qQ\x03\x04":
            self.stop()
        elif key in " pP":
            if self._going.is_set():
                self._going.clear()
            else:
                self._going.set()

    def stop(self) -> None:
        self.stopped.set()
        self._going.set()

    async def wait(self, seconds: float) -> bool:
        """Wait until it is time for the next bar; False when it was stopped."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopped.wait()
        except TimeoutError:
            await self._going.wait()
        return not self.stopped.is_set()


async def replay(settings: Settings, wishes: ReplayWishes) -> None:
    """Show the past of some instruments, then leave it there as it stands.

    Raises:
        Refusal: there is nothing to show; says what there is.
    """
    configure_logging(level="WARNING", json_lines=settings.log_json)
    console = Console(highlight=False)
    rate = bars_per_second(wishes.speed, wishes.timeframe)
    async with open_desk(settings, _Nobody(), on_progress=lambda _: None) as desk:
        replays = _replays(desk)
        shown = [
            await replays.begin(symbol, wishes.timeframe, start=wishes.start, end=wishes.end)
            for symbol in dict.fromkeys(symbol.upper() for symbol in wishes.symbols)
        ]
        if wishes.alert != "":
            for one in shown:
                await _make_alert(desk.alerts.alerts, local_principal(desk), one, wishes)
        _announce(console, settings, shown)
        await _show(replays, shown, rate, console)


async def clear(settings: Settings) -> None:
    """Remove every replay and the alerts that this command made for them."""
    configure_logging(level="WARNING", json_lines=settings.log_json)
    console = Console(highlight=False)
    async with open_desk(settings, _Nobody(), on_progress=lambda _: None) as desk:
        removed = await _replays(desk).clear()
        for symbol in removed:
            await _remove_alert(desk.alerts.alerts, local_principal(desk), symbol)
    console.print(f"Removed {', '.join(removed)}." if removed else "There is no replay.")


def _replays(desk: Desk) -> Replays:
    market = desk.market
    return Replays(
        market.instruments,
        market.bars,
        market.intake,
        remove=StoredReplays(desk.database).remove,
    )


async def _make_alert(alerts: Alerts, who: Principal, one: Replay, wishes: ReplayWishes) -> None:
    """Let an alert wait for what the replay may bring, instead of that of the last time."""
    await _remove_alert(alerts, who, one.symbol)
    words = wishes.alert
    condition = WATCHED
    if words is not None:
        condition = (await alerts.parse(f"{original(one.symbol)}: {words}")).condition
    await alerts.create(
        who,
        AlertWishes(
            name=_NAME.format(original(one.symbol)),
            symbol=one.symbol,
            timeframe=wishes.timeframe,
            condition=condition,
            cooldown_bars=_COOLDOWN_BARS,
        ),
    )


async def _remove_alert(alerts: Alerts, who: Principal, symbol: str) -> None:
    page = await alerts.page(who, symbol=symbol, status=None, cursor=None, limit=100)
    for alert in page.items:
        if alert.name == _NAME.format(original(symbol)):
            await alerts.delete(who, alert.id)


def _announce(console: Console, settings: Settings, shown: Sequence[Replay]) -> None:
    for one in shown:
        first, last = one.coming.day(0), one.coming.day(-1)
        console.print(
            f"[bold]{one.symbol}[/bold]: {first} to {last}, {len(one.coming):,} bars after "
            f"{one.known:,} that are known. Real prices of the past, marked as a replay.",
            soft_wrap=True,
        )
    if settings.address_file.exists():
        for one in shown:
            console.print(f"  Watch it at {settings.address()}/m/{one.symbol}", soft_wrap=True)
    else:
        console.print(
            "  No desk is running here to watch it at: start one with 'outcry serve'.",
            style="yellow",
            soft_wrap=True,
        )


async def _show(replays: Replays, shown: Sequence[Replay], rate: float, console: Console) -> None:
    """Show bar after bar until there are no more or somebody stops it."""
    control, loop = _Control(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, control.stop)
    steps = list(in_step(shown))
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[day]}  {task.fields[close]}"),
        console=console,
        transient=True,
    )
    done, begun = 0, utc_now()
    with keys(control.press) as keyboard, progress:
        hint = "space pauses, q stops" if keyboard else "Ctrl-C stops"
        task = progress.add_task(hint, total=len(steps), day="", close="")
        try:
            for opened, bars in steps:
                if not await control.wait(1 / rate):
                    break
                for series in bars:
                    await replays.show(series)
                done += 1
                progress.update(
                    task,
                    completed=done,
                    description=hint,
                    day=_day(opened),
                    close="  ".join(f"{one.symbol} {one.close[-1]:,.2f}" for one in bars[:4]),
                )
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
    took = (utc_now() - begun).total_seconds()
    left = len(steps) - done
    console.print(
        f"Showed {done:,} of {len(steps):,} times in {took:.0f} s."
        + (" The replay stays as it stands; 'outcry replay --clear' removes it." if left else ""),
        soft_wrap=True,
    )


def _day(opened: np.datetime64) -> str:
    return str(opened.astype("datetime64[m]")).replace("T00:00", "").replace("T", " ")
