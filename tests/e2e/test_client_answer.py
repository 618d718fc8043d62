"""From the sign-in link to an answer whose every number can be checked."""

import asyncio
import re

from playwright.async_api import expect

from tests.e2e.conftest import NewTab
from tests.faults.server import ADMIN_EMAIL, Server

GOOG = "How does GOOG look right now, and is that unusual?"


async def test_the_link_the_terminal_prints_signs_in_by_itself_and_only_once(
    desk: Server, open_tab: NewTab
) -> None:
    printed = await asyncio.to_thread(desk.command, "user", "link", ADMIN_EMAIL)
    found = re.search(r"/sign-in#[\w-]+", printed)
    assert found is not None, printed
    tab = await open_tab(desk, signed_in=False)
    await tab.page.goto(desk.origin + found[0])
    await expect(tab.composer).to_be_visible()
    assert tab.page.url == desk.origin + "/", "the token must not stay in the address"

    again = await open_tab(desk, signed_in=False)
    again.expected.append("401")
    await again.page.goto(desk.origin + found[0])
    await expect(again.page.get_by_role("alert")).to_be_visible()
    await expect(again.page.get_by_role("button", name="Sign in")).to_be_visible()


async def test_a_password_signs_in_and_a_wrong_one_is_refused_in_words(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk, signed_in=False)
    tab.expected.append("401")
    await tab.page.goto(desk.origin)
    await tab.page.get_by_label("Email").fill(ADMIN_EMAIL)
    await tab.page.get_by_label("Password").fill("not this one")
    await tab.page.get_by_role("button", name="Sign in").click()
    await expect(tab.page.get_by_role("alert")).to_be_visible()
    await tab.page.get_by_label("Password").fill("correct horse battery staple")
    await tab.page.get_by_role("button", name="Sign in").click()
    await expect(tab.composer).to_be_visible()


async def test_an_empty_desk_offers_questions_that_work_on_its_data_with_one_click(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await tab.open()
    questions = tab.page.locator(".home li button")
    await expect(questions).to_have_count(4)
    for text in await questions.all_inner_texts():
        await tab.open()
        await tab.page.get_by_role("button", name=text, exact=True).click()
        await tab.wait_for(tab.answers)
        await expect(tab.answers.get_by_role("alert")).to_have_count(0)
        await expect(tab.answers.locator(".claim-mark").first).to_be_visible()
        said = " ".join(await tab.said())
        assert "do not overlap" not in said
        assert "no days in common" not in said


async def test_an_answer_shows_its_steps_its_chart_its_receipt_and_where_numbers_come_from(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await tab.open()
    answer = await tab.ask_and_wait(GOOG)
    await expect(answer.locator(".prose").last).to_contain_text("GOOG closed at")
    await expect(answer.locator("[data-receipt]")).to_contain_text(re.compile(r"free.*\d ?m?s"))

    line = answer.locator("details[data-tool]").first
    await line.locator("summary").click()
    await expect(line.get_by_text("Answered", exact=True)).to_be_visible()
    await expect(line.get_by_text("Data as of")).to_be_visible()

    await expect(tab.evidence.locator("canvas").first).to_be_visible()
    painted = await tab.evidence.locator("canvas").first.evaluate(
        "canvas => canvas.width > 0 && new Set("
        "canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size > 8"
    )
    assert painted, "an empty canvas is no chart"

    mark = answer.locator(".claim-mark").first
    await mark.hover()
    popover = tab.page.get_by_role("tooltip")
    await expect(popover).to_contain_text("Tool")
    await expect(popover).to_contain_text(re.compile(r"As of.*20\d\d"))
    await mark.click()
    row = tab.evidence.locator("[data-claim-row][aria-expanded=true]")
    await expect(row).to_be_visible()
    await expect(row).to_be_focused()


async def test_the_evidence_follows_the_talk_but_stays_where_somebody_asked_for_it(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await tab.open()
    first = await tab.ask_and_wait(GOOG)
    second = await tab.ask_and_wait("What about NOPE?")
    pane = tab.evidence.get_by_role("region", name="Evidence of the answer in view")
    await expect(pane).to_contain_text("What about NOPE?")

    failed = second.locator("details[data-tool]").first.locator(".words")
    said = await failed.inner_text()
    assert said.count("NOPE") == 1, "a failure is told once"

    await first.locator(".claim-mark").last.click()
    await expect(pane).to_contain_text(GOOG)
    await expect(tab.evidence.locator("[data-claim-row][aria-expanded=true]")).to_be_focused()
    scrolled = await tab.page.evaluate(
        "[document.documentElement, document.body, "
        "document.querySelector('#app')].map(element => element.scrollTop)"
    )
    assert scrolled == [0, 0, 0], "only the panes scroll, never the page"

    conversation = tab.page.get_by_role("region", name="Conversation", exact=True)
    await conversation.hover()
    await tab.page.mouse.wheel(0, 20_000)
    await expect(pane).to_contain_text("What about NOPE?")


async def test_marks_stay_on_one_line_and_touch_neither_each_other_nor_words(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await tab.open()
    answer = await tab.ask_and_wait(GOOG)
    boxes = await answer.locator(".claim-mark").evaluate_all(
        """marks => marks.map((mark) => {
            const range = document.createRange();
            range.selectNodeContents(mark);
            return [...range.getClientRects()].map((r) => [r.left, r.top, r.right, r.bottom]);
        })"""
    )
    assert len(boxes) > 9, "two digits are what this is about"
    assert [len(rects) for rects in boxes] == [1] * len(boxes), "a mark broke over lines"
    for index, [(left, top, right, bottom)] in enumerate(boxes):
        for [(other_left, other_top, other_right, other_bottom)] in boxes[index + 1 :]:
            apart = (
                right <= other_left
                or other_right <= left
                or bottom <= other_top
                or other_bottom <= top
            )
            assert apart, f"mark {index + 1} lies on another one"
    covered = await answer.locator(".prose").last.evaluate(
        """prose => {
            const words = [];
            const walker = document.createTreeWalker(prose, NodeFilter.SHOW_TEXT);
            while (walker.nextNode()) {
                if (walker.currentNode.parentElement.closest(".claim-mark")) continue;
                const range = document.createRange();
                range.selectNodeContents(walker.currentNode);
                words.push(...range.getClientRects());
            }
            return [...prose.querySelectorAll(".claim-mark")].filter((mark) => {
                const range = document.createRange();
                range.selectNodeContents(mark);
                const box = range.getBoundingClientRect();
                const across = (word) => word.left < box.right - 0.5 && box.left < word.right - 0.5;
                const along = (word) => word.top < box.bottom && box.top < word.bottom - 4;
                return words.some((word) => across(word) && along(word));
            }).map((mark) => mark.textContent);
        }"""
    )
    assert covered == [], "marks lie on words"


async def test_copying_brings_the_evidence_along_as_footnotes(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk, permissions=["clipboard-read", "clipboard-write"])
    await tab.open()
    answer = await tab.ask_and_wait("Is AAPL's RSI high?")
    await answer.get_by_role("button", name="Copy with evidence").click()
    await expect(answer.get_by_text("Copied")).to_be_visible()
    copied = await tab.page.evaluate("navigator.clipboard.readText()")
    noted = re.findall(r"(?<!^)\[\^(\d+)\]", copied, re.MULTILINE)
    explained = re.findall(r"^\[\^(\d+)\]: .*as of 20\d\d", copied, re.MULTILINE)
    assert noted
    assert set(noted) == set(explained)


async def test_answering_again_keeps_the_first_answer_beside_the_new_one(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await tab.open()
    await tab.ask_and_wait("Is MSFT's RSI high?")
    first_run = await tab.answers.get_attribute("data-run")
    await tab.answers.get_by_role("button", name="Answer again").click()
    await expect(tab.answers.locator(".siblings")).to_contain_text("2/2")
    assert await tab.answers.get_attribute("data-run") != first_run
    await tab.answers.get_by_role("button", name="Earlier answer").click()
    await expect(tab.answers).to_have_attribute("data-run", first_run or "")


async def test_a_reload_shows_the_same_talk_and_an_old_one_is_found_by_what_was_said_in_it(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await tab.open()
    await tab.ask_and_wait("Where are support and resistance for IBM?")
    await tab.ask_and_wait("and MSFT?")
    before = await tab.page.locator(".turns").inner_text()
    marks = await tab.page.locator(".claim-mark").count()
    await tab.page.reload()
    await expect(tab.answers).to_have_count(2)
    await expect(tab.page.locator(".claim-mark")).to_have_count(marks)
    assert await tab.page.locator(".turns").inner_text() == before
    conversation = tab.conversation_id()

    await tab.open("/")
    await tab.page.keyboard.press("Escape")
    await tab.page.get_by_role("searchbox", name="Search conversations").fill("resistance IBM")
    hit = tab.page.locator(f'nav a[href="/c/{conversation}"]').first
    await hit.click()
    await expect(tab.answers).to_have_count(2)
    assert tab.conversation_id() == conversation
