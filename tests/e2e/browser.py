"""One browser tab, as a person uses it, and what its console says meanwhile."""

import os
import re
import shutil
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import ConsoleMessage, Error, Locator, Page, expect

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NO_BROWSER = "no chromium on the path, and OUTCRY_CHROMIUM names none"


def find_browser() -> str | None:
    """Return the Chromium to drive."""
    return os.environ.get("OUTCRY_CHROMIUM") or shutil.which("chromium")


@dataclass
class Tab:
    """A page of the client; `complaints` is all that went wrong in it and was not expected."""

    page: Page
    base: str
    expected: list[str] = field(default_factory=list)
    """Regular expressions of complaints that the test itself brings about."""
    _heard: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", self._page_error)

    def _console(self, message: ConsoleMessage) -> None:
        # A violated Content-Security-Policy is told as an error too.
        if message.type in ("error", "warning"):
            self._heard.append(f"{message.type}: {message.text}")

    def _page_error(self, error: Error) -> None:
        self._heard.append(f"uncaught: {error.message}")

    def complaints(self) -> list[str]:
        """Return what the console said that nobody expected."""
        return [
            said
            for said in self._heard
            if not any(re.search(pattern, said) for pattern in self.expected)
        ]

    # --- the parts of the screen --------------------------------------------------------------

    @property
    def composer(self) -> Locator:
        return self.page.get_by_role("textbox", name="Your question")

    @property
    def answers(self) -> Locator:
        return self.page.locator("article[data-run]")

    @property
    def evidence(self) -> Locator:
        return self.page.get_by_role("complementary", name="Evidence")

    @property
    def stop(self) -> Locator:
        return self.page.get_by_role("button", name="Stop Esc")

    # --- what a person does -------------------------------------------------------------------

    async def open(self, path: str = "/") -> None:
        """Go there and wait until the desk has come up."""
        await self.page.goto(self.base + path)
        await expect(self.composer).to_be_visible()

    async def ask(self, question: str) -> None:
        """Type a question and send it."""
        await self.composer.fill(question)
        await self.composer.press("Enter")

    async def ask_and_wait(self, question: str) -> Locator:
        """Ask and return the answer once its receipt stands below it."""
        before = await self.answers.count()
        await self.ask(question)
        answer = self.answers.nth(before)
        await self.wait_for(answer)
        return answer

    async def wait_for(self, answer: Locator, *, timeout_s: float = 20) -> None:
        """Wait until the answer is complete: its receipt then tells how long it took."""
        receipt = answer.locator("[data-receipt]")
        await expect(receipt).to_contain_text(re.compile(r"\d m?s"), timeout=timeout_s * 1000)

    async def said(self) -> list[str]:
        """Return the text of all answers on the screen, without marks and controls."""
        texts = await self.page.locator("article[data-run] .prose").all_inner_texts()
        return [" ".join(text.split()) for text in texts]

    def conversation_id(self) -> str:
        """Return the id in the address."""
        found = re.search(r"/c/([0-9a-f-]{36})", self.page.url)
        assert found is not None, self.page.url
        return found[1]

    async def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        width: Any = await self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return int(width)
