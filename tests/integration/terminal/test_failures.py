"""What an operator can mend is told in one line, and never as a traceback."""

import re
import socket
from pathlib import Path

import pytest

from tests.faults.provider import Provider
from tests.faults.server import Server
from tests.integration.terminal.command import Command, Done

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("terminal")]


def assert_told(done: Done, *told: str) -> None:
    assert done.rc in (1, 2)
    assert "Traceback" not in done.err
    lines = done.err.strip().splitlines()
    assert len(lines) == 1, done.err
    for part in told:
        assert part in lines[0]


async def test_a_question_without_words(outcry: Command) -> None:
    assert_told(await outcry("ask", "  "), "The message is empty.")


async def test_an_agent_that_does_not_exist(outcry: Command) -> None:
    assert_told(await outcry("ask", "hello", "--agent", "nobody"), "nobody")


async def test_a_port_that_is_taken(outcry: Command, server: Server) -> None:
    done = await outcry("serve", "--port", str(server.port))
    assert_told(done, f"127.0.0.1:{server.port}", "already in use", "--port")


async def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening: connections are refused
        port = taken.getsockname()[1]
        url = f"postgresql://me:geheim@127.0.0.1:{port}/desk"
        for verb in (("ask", "hello"), ("serve", "--port", "0"), ("migrate",)):
            done = await Command(tmp_path / "data", {"DATABASE_URL": url})(*verb)
            assert_told(done, "DATABASE_URL", f"127.0.0.1:{port}/desk", "cannot be reached")
            assert "geheim" not in done.err


async def test_an_address_that_is_none(tmp_path: Path) -> None:
    done = await Command(tmp_path / "data", {"DATABASE_URL": "mysql://x"})("ask", "hello")
    assert_told(done, "DATABASE_URL", "postgresql://")


async def test_a_data_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_told(await Command(tmp_path / "file" / "data")("ask", "hello"), "DATA_DIR")


async def test_a_setting_that_cannot_be_used(outcry: Command) -> None:
    done = await Command(outcry.data_dir, {"PORT": "http"})("serve")
    assert_told(done, "PORT=http", "65535")


async def test_a_server_of_ones_own_that_is_not_there(outcry: Command) -> None:
    done = await Command(outcry.data_dir, {"VLLM_BASE_URL": "http://127.0.0.1:1/v1"})("ask", "hi")
    assert_told(done, "cannot be reached", "OUTCRY_MODEL")


async def test_a_key_without_a_name(outcry: Command) -> None:
    assert_told(await outcry("key", "create", " "), "name")


async def test_a_person_who_does_not_exist(outcry: Command) -> None:
    assert_told(await outcry("user", "link", "nobody@desk.test"), "nobody@desk.test", "user list")


async def test_a_sign_in_link_leads_to_the_running_server(outcry: Command, server: Server) -> None:
    done = await outcry("user", "link")
    token = re.search(rf"{re.escape(server.origin)}/sign-in#(\S+)", done.out)
    assert token, done.out
    signed_in = server.request("POST", "/api/v1/auth/link", {"token": token[1]})
    assert signed_in.status in (200, 201)


async def test_ids_in_lists_are_whole(outcry: Command) -> None:
    await outcry("key", "create", "a program with quite a long name, as programs have")
    listed = await outcry("key", "list")
    key_id = next(line.split()[0] for line in listed.out.splitlines() if "quite a long" in line)
    assert (await outcry("key", "revoke", key_id)).out == "Revoked.\n"


async def test_the_doctor_asks_the_provider(
    outcry: Command, outcry_with_provider: Command, provider: Provider
) -> None:
    well = await outcry("doctor")
    assert (well.rc, "✗" in well.out) == (0, False)
    gone = Command(
        outcry.data_dir,
        {**outcry_with_provider.more, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"},
    )
    ill = await gone("doctor")
    assert ill.rc == 1
    assert re.search(r"✗ LLM .*cannot be reached", ill.out)
