"""The models a desk trains by itself: at its first start, and by the clock where that is wished.

Each is asked for once for one recipe as it is written and one set of prices, whatever came of it:
a start never trains what an earlier one has trained, and a failure is not tried at every start.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog

from app.domain.errors import Refusal
from app.domain.training import TrainCommand
from app.services.training.training import Training
from app.services.training.training_ports import TrainedModels, TrainingHistory
from app.services.training.training_records import code_of, record_of
from tools.market.instruments import Instrument
from tools.market.ports import InstrumentStore
from tools.market.replays import is_replay
from tools.market.signals import market_of

log = structlog.get_logger(__name__)

DEFAULTS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("variance", {"horizon": 1}),
    ("variance", {"horizon": 5}),
    ("return_quantiles", {"horizon": 1}),
    ("return_quantiles", {"horizon": 5}),
    ("return_quantiles", {"horizon": 20}),
    ("volatility_regime", {"horizon": 5}),
    ("direction", {"horizon": 5}),
    ("scenario_paths", {}),
)
"""Recipe and options, each at its smallest tier; a recipe that is not there is passed over."""
FEWEST_BARS = 750
"""Of a history that is learned from: three years of days."""
_LOOK_S = 3600.0


class DefaultModels:
    """Asks for the trainings that nobody else asks for."""

    def __init__(
        self,
        training: Training,
        models: TrainedModels,
        history: TrainingHistory,
        instruments: InstrumentStore,
        *,
        clock: Callable[[], datetime],
        retrain_days: int = 0,
        wanted: tuple[tuple[str, Mapping[str, Any]], ...] = DEFAULTS,
    ) -> None:
        """Args:
        retrain_days: how old a champion becomes before it is trained anew; 0: as old as it gets.
        """
        self._training = training
        self._models = models
        self._history = history
        self._instruments = instruments
        self._clock = clock
        self._retrain_days = retrain_days
        self._wanted = wanted

    async def keep_up(self, on_progress: Callable[[str], None], *, after_s: float) -> None:
        """Ask for what is missing, then look by the clock, until cancelled."""
        await asyncio.sleep(after_s)
        await self._training.tidy()
        await self.ask(on_progress)
        while self._retrain_days:
            try:
                await self.ask_again(on_progress)
            except Refusal as away:
                log.warning("default_models.waits", reason=away.code)
            await asyncio.sleep(_LOOK_S)

    async def ask(self, on_progress: Callable[[str], None]) -> list[str]:
        """Queue what was never asked for on these prices; return the titles."""
        chosen = learned_from(await self._instruments.all())
        if not chosen:
            on_progress(
                "No models are trained: no instrument has "
                f"{FEWEST_BARS} daily bars yet. 'outcry import bars' brings some in."
            )
            return []
        known = {recipe.name for recipe in self._training.recipes()}
        queued = []
        for recipe, options in self._wanted:
            if recipe not in known:
                continue
            once = self._name(recipe, options, chosen)
            if await self._history.was_asked(once):
                continue
            job = await self._training.submit(
                TrainCommand(
                    recipe=recipe,
                    options=dict(options),
                    symbols=tuple(one.symbol for one in chosen),
                    deploy=True,
                    in_background=True,
                    once=once,
                ),
                by=None,
            )
            queued.append(job.title)
        if queued:
            names = ", ".join(one.symbol for one in chosen)
            on_progress(
                f"Training {len(queued)} models on {names} in the background; "
                "'outcry job list' shows how far they are."
            )
        return queued

    async def ask_again(self, on_progress: Callable[[str], None]) -> list[str]:
        """Queue the champions that have grown old and have newer bars; return the titles."""
        now, queued = self._clock(), []
        last_bars = {one.symbol: one.last_bar for one in await self._instruments.all()}
        for model_id in await self._history.champions():
            card = await self._models.find(model_id)
            record = None if card is None else record_of(card)
            if card is None or record is None or card.trained_at is None:
                continue
            age = now - card.trained_at
            newest = max((at for s in record.symbols if (at := last_bars.get(s))), default=None)
            if age < timedelta(days=self._retrain_days) or newest is None:
                continue
            if record.command.dataset is not None or newest <= record.as_of:
                continue  # It would learn from what it has learned from.
            again = msgspec.structs.replace(
                record.command,
                as_of=None,
                deploy=True,
                in_background=True,
                once=f"again:{card.id}:{newest:%Y-%m-%d}",
            )
            if again.once is not None and await self._history.was_asked(again.once):
                continue
            job = await self._training.submit(again, by=None)
            queued.append(job.title)
        if queued:
            on_progress(f"Training {len(queued)} models anew, which are old by now.")
        return queued

    def _name(self, recipe: str, options: Mapping[str, Any], chosen: Iterable[Instrument]) -> str:
        """Return what this training is called, so that it is asked for once."""
        said = {
            "recipe": recipe,
            "code": code_of(self._training.recipe(recipe)),
            "options": dict(options),
            "prices": [[one.symbol, _provenance(one)] for one in chosen],
        }
        digest = hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()
        return f"default:{recipe}:{digest[:16]}"


def learned_from(instruments: Iterable[Instrument]) -> list[Instrument]:
    """Return whose prices the default models learn from, by symbol.

    The newest demo set where there is one, else the market of the desk with the most bars.
    """
    long = [
        one
        for one in instruments
        if one.bar_count >= FEWEST_BARS and not is_replay(one.symbol) and one.last_bar is not None
    ]
    groups: dict[tuple[bool, str], list[Instrument]] = {}
    for one in long:
        package = one.provenance.get("package")
        shipped = isinstance(package, str) and bool(one.provenance.get("complete"))
        groups.setdefault((shipped, str(package) if shipped else market_of(one)), []).append(one)
    if not groups:
        return []

    def rank(key: tuple[bool, str]) -> tuple[bool, Any]:
        shipped, group = key[0], groups[key]
        newest = max(one.last_bar for one in group if one.last_bar is not None)
        return (shipped, newest if shipped else sum(one.bar_count for one in group))

    # Demo sets rank above the rest, the newer above the older.
    demo = [key for key in groups if key[0]]
    best = max(demo or groups, key=rank)
    return sorted(groups[best], key=lambda one: one.symbol)


def _provenance(instrument: Instrument) -> Any:
    """Return what tells one history of an instrument from another; days that are added do not."""
    return instrument.provenance.get("sha256") or instrument.source
