"""Take the pictures of `docs/images` from the running product.

    python tests/e2e/screenshots.py [FOLDER]

Starts a desk of its own on the data it is shipped with, asks, photographs, and cleans up.
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, expect, sync_playwright  # noqa: E402

from tests.e2e.browser import ARGUMENTS, NO_BROWSER, find_browser  # noqa: E402
from tests.faults.server import Server, serving  # noqa: E402

ASKED = (
    "Compare AAPL and IBM over the last year",
    "Where are support and resistance for MSFT?",
    "How does GOOG look right now, and is that unusual?",
)
WATCHED = "Tell me when the RSI of GOOG is above 60"
DESK: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
LARGEST = 300_000
LAST_MODEL = "scenario-paths-20@1"
LEARNING_MS = 600_000
_COMPLETE = re.compile(r"\d m?s")


def photograph(browser: Browser, server: Server, path: str, to: Path, **options: Any) -> None:
    """Show `path` to a signed-in browser of its own and keep what it sees."""
    with browser.new_context(reduced_motion="reduce", **options) as context:
        sign_in(context, server)
        page = context.new_page()
        page.goto(server.origin + path)
        wide = options["viewport"]["width"] > 1000
        if path.startswith("/c/"):
            expect(page.locator("[data-receipt]")).to_contain_text(_COMPLETE)
            if not wide:
                page.get_by_role("region", name="Conversation", exact=True).evaluate(
                    "region => { region.scrollTop = 0; }"
                )
        if path == "/scorecard":
            page.wait_for_selector("[data-score]")
        elif path == "/models":
            page.wait_for_selector(".models .scale")
        elif wide:
            page.wait_for_selector("[data-drawn=true] canvas")
        if path.startswith("/m/"):
            page.wait_for_selector("[data-signal]")
        page.wait_for_timeout(400)
        page.screenshot(path=to)
    size = to.stat().st_size
    print(f"{to}: {size / 1000:.0f} kB")  # noqa: T201 - a program
    if size > LARGEST:
        raise SystemExit(f"{to} is larger than {LARGEST / 1000:.0f} kB")


_session: list[str] = []


def sign_in(context: Any, server: Server) -> None:
    """Give the browser the session of the first user."""
    if not _session:
        _session.append(server.sign_in())
    name, value = _session[0].split("=", 1)
    context.add_cookies([{"name": name, "value": value, "url": server.origin}])


def learn(browser: Browser, server: Server) -> None:
    """Wait until the desk has trained the models it comes with."""
    with browser.new_context(**DESK) as context:
        sign_in(context, server)
        page = context.new_page()
        page.goto(f"{server.origin}/models")
        expect(page.get_by_role("link", name=LAST_MODEL)).to_be_visible(timeout=LEARNING_MS)


def ask(browser: Browser, server: Server) -> str:
    """Ask all questions, each in a conversation of its own; return the last one's path."""
    path = ""
    with browser.new_context(**DESK) as context:
        sign_in(context, server)
        page = context.new_page()
        for question in ASKED:
            page.goto(server.origin)
            page.get_by_role("textbox", name="Your question").fill(question)
            page.keyboard.press("Enter")
            expect(page.locator("[data-receipt]")).to_contain_text(_COMPLETE)
            path = page.url.removeprefix(server.origin)
    return path


def alert(browser: Browser, server: Server) -> str:
    """Set an alert that holds already, wait until it has fired; return its conversation's path."""
    with browser.new_context(**DESK) as context:
        sign_in(context, server)
        page = context.new_page()
        page.goto(f"{server.origin}/alerts")
        page.get_by_label("What should be watched?").fill(WATCHED)
        page.keyboard.press("Enter")
        page.get_by_label("Tell me at once").check()
        page.get_by_role("button", name="Set this alert").click()
        page.get_by_role("status", name="Alerts and alarms").get_by_role("link").click()
        expect(page.locator("[data-receipt]")).to_contain_text(_COMPLETE)
        return page.url.removeprefix(server.origin)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    executable = find_browser()
    if executable is None:
        raise SystemExit(f"Cannot take pictures: {NO_BROWSER}.")
    with tempfile.TemporaryDirectory(prefix="outcry-pictures-") as place:
        Path(place).chmod(0o711)
        with (
            serving(Path(place) / "data", OUTCRY_DEFAULT_MODELS="1") as server,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
            learn(browser, server)
            path = ask(browser, server)
            photograph(browser, server, path, folder / "desk.png", color_scheme="light", **DESK)
            photograph(browser, server, path, folder / "desk-dark.png", color_scheme="dark", **DESK)
            photograph(browser, server, path, folder / "phone.png", color_scheme="light", **PHONE)
            fired = alert(browser, server)
            for name, address, look in (
                ("market", "/m/GOOG", {"color_scheme": "light", **DESK}),
                ("market-phone", "/m/GOOG", {"color_scheme": "dark", **PHONE}),
                ("scorecard", "/scorecard", {"color_scheme": "light", **DESK}),
                ("models", "/models", {"color_scheme": "light", **DESK}),
                ("alert", fired, {"color_scheme": "light", **DESK}),
            ):
                photograph(browser, server, address, folder / f"{name}.png", **look)
            browser.close()


if __name__ == "__main__":
    main()
