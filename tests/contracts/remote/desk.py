"""A desk whose models run elsewhere, for the tests of every protocol."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np

from app.security.outbound import Allowed
from app.wiring.remote import GuardedLine
from inference.bundle import BUNDLE_FILE, Bundle, Head, InputColumn, Member
from inference.engine.remote import RoutedEngine
from inference.requests import Answers, Rows

ROWS = Rows(("x", "y"), np.array([[1.0, 2.0], [3.0, 4.5]]))


def bundle(**options: Any) -> Bundle:
    return Bundle(
        name="sum", recipe="imported", task="sum", model_type="regression",
        framework="scikit_learn", inputs=(InputColumn(name="x"), InputColumn(name="y")),
        members=(
            Member(name="away", runtime="remote", columns=("x", "y"), options=options),
        ),
        head=Head(kind="value"),
    )  # fmt: skip


class Nobody:
    """An engine that must not be asked."""

    async def predict(self, *_: Any, **__: Any) -> Answers:
        raise AssertionError("it was asked here")


class Desk:
    """An engine whose models run elsewhere, and a clock for its breakers."""

    def __init__(self, folder: Path, *, allow: str = "127.0.0.1:*", **options: Any) -> None:
        (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(bundle(**options)))
        self.now = 0.0
        self.engine = RoutedEngine(
            Nobody(), lambda _: folder, GuardedLine(Allowed.read([allow])), clock=lambda: self.now
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.engine.aclose()

    async def ask(
        self, protocol: str, url: str, *, deadline_s: float = 4.0, rows: Rows = ROWS
    ) -> list[float]:
        return await self.ask_at(f"{protocol}://{url}/sum", deadline_s=deadline_s, rows=rows)

    async def ask_at(self, url: str, *, deadline_s: float = 4.0, rows: Rows = ROWS) -> list[float]:
        answers = await self.engine.predict(f"d1@{url}", rows, deadline_s=deadline_s)
        assert isinstance(answers.values, np.ndarray)
        return list(answers.values)
