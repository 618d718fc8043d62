"""`outcry doctor`: is everything there that the desk needs?"""

import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

from rich.console import Console
from rich.text import Text

from agents.errors import LLMError, LLMNotFound, LLMRejected
from agents.llms.openai import OpenAILLM
from app.domain.models import ModelFilter
from app.domain.runs import StoredEvent
from app.failures import explain
from app.main import WEB_FOLDER
from app.settings import Settings
from app.wiring.desk import Desk, open_desk
from inference.lifecycle import label

_LEAST_FREE_MIB = 1024


class _Nobody:
    def publish(self, events: Sequence[StoredEvent]) -> None:
        """Nobody follows a check-up."""


async def checkup(settings: Settings, console: Console) -> bool:
    """Print a line per check; True when none failed."""
    results = [
        _tell(console, "Python", _python()),
        _tell(console, "web client", _web_client()),
        _tell(console, "disk", _disk(settings)),
    ]
    try:
        async with open_desk(settings, _Nobody(), on_progress=lambda _: None) as desk:
            results += [_tell(console, name, await check(desk)) for name, check in _CHECKS.items()]
    except Exception as failure:
        results.append(_tell(console, "desk", (False, explain(failure) or repr(failure))))
    return all(results)


def _tell(console: Console, name: str, told: tuple[bool, str]) -> bool:
    well, words = told
    mark = ("✓", "green") if well else ("✗", "red")
    console.print(Text.assemble(mark, f" {name:<12} {words}"), soft_wrap=True)
    return well


def _python() -> tuple[bool, str]:
    return sys.version_info >= (3, 11), f"{sys.version.split()[0]} (3.11 or newer will do)"


def _web_client() -> tuple[bool, str]:
    built = (WEB_FOLDER / "index.html").exists()
    return built, "built" if built else "not built: run 'make web'"


def _disk(settings: Settings) -> tuple[bool, str]:
    folder = settings.data_dir.absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free // 2**20
    return free >= _LEAST_FREE_MIB, f"{free:,} MiB free"


async def _database(desk: Desk) -> tuple[bool, str]:
    begun = time.perf_counter()
    await desk.database.check()
    return True, f"{desk.database_label} ({(time.perf_counter() - begun) * 1000:.1f} ms)"


async def _prices(desk: Desk) -> tuple[bool, str]:
    known = await desk.market.instruments.all()
    return bool(known), f"{len(known)} instruments: {', '.join(i.symbol for i in known)}"


async def _models(desk: Desk) -> tuple[bool, str]:
    """Tell which models were taken out of service because their files were changed."""
    failed = await desk.engine.models.page(ModelFilter(status="failed"), cursor=None, limit=200)
    damaged = [card for card in failed.items if card.quarantined_at is not None]
    if damaged:
        names = ", ".join(f"{label(card)} ({card.failure})" for card in damaged)
        return False, f"quarantined, because files were changed: {names}"
    serving = await desk.engine.models.page(ModelFilter(status="deployed"), cursor=None, limit=200)
    return True, f"{len(serving.items)} deployed, none quarantined"


async def _llm(desk: Desk) -> tuple[bool, str]:
    """Ask the provider which models it has, which costs nothing and needs the key."""
    chosen = desk.llm()
    if not isinstance(chosen.llm, OpenAILLM):
        return True, chosen.label
    try:
        models = await chosen.llm.models()
    except (LLMNotFound, LLMRejected):
        return True, f"{chosen.label}: it answers, but does not say which models it has"
    except LLMError as error:
        return False, f"{chosen.label}: {error}"
    if chosen.model not in models:
        return False, f"{chosen.label}: it answers, but has no model {chosen.model}"
    return True, f"{chosen.label}: it answers"


_CHECKS: dict[str, Callable[[Desk], Awaitable[tuple[bool, str]]]] = {
    "database": _database,
    "prices": _prices,
    "models": _models,
    "LLM": _llm,
}
