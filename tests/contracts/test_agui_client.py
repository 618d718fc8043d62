"""The real `@ag-ui/client` accepts what a desk sends, through the agent class of docs/ag-ui.md.

The client verifies the order and the shape of every event itself; a scenario ends with an error
where it refuses one (and `test_the_client_refuses_a_run_without_its_beginning` shows that it does).
"""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.documented import code_of
from tests.contracts.running_desk import KEYLESS, RunningDesk
from tests.faults.provider import answer_text

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("running_desk")]

PACKAGE = Path(__file__).resolve().parent / "agui_client"
_OLDEST_NODE = 20
_INSTALL_S = 120


class ClientFailed(Exception):
    """The scenario ended with an error; the message is what the client said."""


@pytest.fixture(scope="session")
async def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed client, the documented agent class and the scenarios."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    rc, version, _ = await _run(node, "--version")
    if rc or int(version.strip().lstrip("v").split(".")[0]) < _OLDEST_NODE:
        pytest.skip(f"node is {version.strip()}; {_OLDEST_NODE} or newer is needed")
    folder = tmp_path_factory.mktemp("agui_client")
    for name in ("package.json", "package-lock.json", ".npmrc", "scenarios.mjs"):
        shutil.copy(PACKAGE / name, folder)
    for name, code in code_of("ag-ui.md").items():
        (folder / name).write_text(code)
    rc, _, trouble = await _run(
        *(npm, "ci", "--prefer-offline", "--ignore-scripts", "--fetch-retries=1"), cwd=folder
    )
    if rc:
        said = next((line for line in trouble.splitlines() if "error" in line), trouble)
        pytest.skip(f"the client cannot be installed here: {said.strip()}")
    return folder


async def _run(
    *command: str, cwd: Path | None = None, environment: dict[str, str] | None = None
) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_INSTALL_S):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return 124, "", f"error: {command[0]} took longer than {_INSTALL_S} s"
    return process.returncode or 0, out.decode(), err.decode()


async def play(
    client: Path, desk: RunningDesk, scenario: str, question: str, *, agent: str = ""
) -> Any:
    """Return what the client saw.

    Raises:
        ClientFailed: it refused something, or was refused.
    """
    rc, out, err = await _run(
        "node",
        "scenarios.mjs",
        scenario,
        cwd=client,
        environment={
            **desk.environment,
            "OUTCRY_QUESTION": question,
            "OUTCRY_AGENT": agent,
        },
    )
    if rc:
        raise ClientFailed(err)
    return json.loads(out)


def numbers(told: Any) -> list[int]:
    return [event["metadata"]["outcry"]["seq"] for event in told["events"]]


def text(told: Any) -> str:
    deltas = [e["delta"] for e in told["events"] if e["type"] == "TEXT_MESSAGE_CONTENT"]
    return "".join(deltas)


def spoken(told: Any) -> list[tuple[str, str]]:
    """Return who said what, as the client pieced it together."""
    return [
        (message["role"], message["content"])
        for message in told["messages"]
        if message["role"] in ("user", "assistant") and message.get("content")
    ]


async def assert_complete(desk: RunningDesk, told: Any) -> None:
    """The client has every stored event of the runs it saw, each once and in order."""
    seen = numbers(told)
    assert seen == list(range(seen[0], seen[0] + len(seen)))
    runs = dict.fromkeys(e["runId"] for e in told["events"] if e["type"] == "RUN_STARTED")
    stored = [e for run in runs for e in await asyncio.to_thread(desk.events, run)]
    assert [(e["type"], e["metadata"]["outcry"]["seq"]) for e in stored] == [
        (e["type"], e["metadata"]["outcry"]["seq"]) for e in told["events"]
    ]


async def test_an_answer_with_tool_calls(client: Path, running_desk: RunningDesk) -> None:
    told = await play(client, running_desk, "answer", "How does GOOG look?", agent=KEYLESS)

    types = {event["type"] for event in told["events"]}
    assert {"TOOL_CALL_RESULT", "ACTIVITY_SNAPSHOT", "CUSTOM", "STEP_STARTED"} <= types
    await assert_complete(running_desk, told)
    stored = await asyncio.to_thread(running_desk.messages, told["threadId"])
    assert spoken(told) == [(message["role"], message["content"]) for message in stored]
    calls = {call["id"] for message in told["messages"] for call in message.get("toolCalls", [])}
    assert calls == {call["id"] for call in stored[-1]["toolCalls"]}


async def test_a_cancelled_run_keeps_what_was_said(client: Path, running_desk: RunningDesk) -> None:
    told = await play(client, running_desk, "cancelled", "script=steady tokens=2000 ms=5")

    assert told["events"][-1]["outcome"] == {"type": "cancelled"}
    assert 0 < len(text(told)) < len(answer_text(2000))
    await assert_complete(running_desk, told)
    stored = await asyncio.to_thread(running_desk.messages, told["threadId"])
    assert (stored[-1]["content"], stored[-1]["stopped"]) == (text(told), "cancelled")


async def test_a_failed_run_ends_with_its_reason(client: Path, running_desk: RunningDesk) -> None:
    told = await play(client, running_desk, "answer", "script=cut tokens=10")

    assert told["events"][-1]["type"] == "RUN_ERROR"
    assert told["events"][-1]["message"]
    assert text(told) == answer_text(10)
    await assert_complete(running_desk, told)


async def test_a_regenerated_answer(client: Path, running_desk: RunningDesk) -> None:
    told = await play(client, running_desk, "regenerated", "script=steady tokens=8")

    starts = [event for event in told["events"] if event["type"] == "RUN_STARTED"]
    asked = [start["input"]["forwardedProps"]["outcry"]["mode"] for start in starts]
    assert asked == ["answer", "regenerate"]
    await assert_complete(running_desk, told)
    stored = await asyncio.to_thread(running_desk.messages, told["threadId"])
    assert spoken(told) == [(message["role"], message["content"]) for message in stored]


async def test_an_answer_goes_on_after_the_line_was_cut_twice(
    client: Path, running_desk: RunningDesk
) -> None:
    told = await play(client, running_desk, "dropped", "script=steady tokens=80 ms=15")

    assert told["cuts"] == 2
    assert text(told) == answer_text(80)
    await assert_complete(running_desk, told)


async def test_an_earlier_conversation_opens_in_another_client(
    client: Path, running_desk: RunningDesk
) -> None:
    told = await play(client, running_desk, "reopened", "Compare GOOG and MSFT", agent=KEYLESS)

    assert told["second"]["events"] == told["first"]["events"]
    assert told["second"]["messages"] == told["first"]["messages"]
    await assert_complete(running_desk, told["second"])


async def test_a_second_client_joins_while_an_answer_is_written(
    client: Path, running_desk: RunningDesk
) -> None:
    told = await play(client, running_desk, "joined", "script=steady tokens=60 ms=10")

    assert text(told["first"]) == text(told["second"]) == answer_text(60)
    assert told["second"]["messages"] == told["first"]["messages"]
    await assert_complete(running_desk, told["second"])


async def test_a_refused_question_is_an_error_with_the_reason(
    client: Path, running_desk: RunningDesk
) -> None:
    with pytest.raises(ClientFailed, match=r"The message is empty\."):
        await play(client, running_desk, "refused", "")


async def test_the_client_refuses_a_run_without_its_beginning(
    client: Path, running_desk: RunningDesk
) -> None:
    with pytest.raises(ClientFailed, match="First event must be 'RUN_STARTED'"):
        await play(client, running_desk, "beheaded", "script=steady tokens=3")


async def test_the_documented_example_prints_the_answer(
    client: Path, running_desk: RunningDesk
) -> None:
    rc, out, err = await _run(
        *("node", "ask.mjs", "script=steady tokens=12"),
        cwd=client,
        environment=running_desk.environment,
    )
    assert (rc, err) == (0, "")
    assert out.startswith(answer_text(12))


async def test_a_wrong_key_is_an_error_at_once(client: Path, running_desk: RunningDesk) -> None:
    wrong = RunningDesk(running_desk.server, "no-such-key")
    with pytest.raises(ClientFailed, match="401"):
        await play(client, wrong, "answer", "hello")
