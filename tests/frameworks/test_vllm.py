"""`outcry serve-llm` with a real vLLM on the CPU, driven as the desk and as other programs do.

Build the environment first: python -m tests.environments.vllm_cpu
"""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import openai
import psutil  # type: ignore[import-untyped]
import pytest

from agents.llms.builtin.model import BuiltinLLM
from agents.llms.catalog import Catalog, LLMEnvironment
from agents.llms.llm import LLM
from inference.llm_server.families import FAMILIES
from tests.contracts.llms.asking import QUESTION
from tests.contracts.llms.conftest import Heard
from tests.environments.vllm_cpu import DEFAULT, MODEL_NAME, Environment

HERE = Environment(Path(os.environ.get("OUTCRY_VLLM_CPU", DEFAULT)))
pytestmark = [
    pytest.mark.framework,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not HERE.is_ready, reason="no vLLM here: python -m tests.environments.vllm_cpu"
    ),
]


class Served:
    """A server that `outcry serve-llm` runs."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.address = f"http://127.0.0.1:{port}"
        self.said = ""

    async def until_ready(self) -> None:
        assert self.process.stdout is not None
        while "Ctrl-C stops it" not in self.said:
            line = await self.process.stdout.readline()
            assert line, self.said
            self.said += line.decode()


@asynccontextmanager
async def served(data: Path, *arguments: str) -> AsyncIterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", "serve-llm", str(HERE.model), "--vllm", str(HERE.vllm),
        "--port", str(port), "--context", "2048", "--data-dir", str(data), *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    server = Served(process, port)
    try:
        async with asyncio.timeout(600):
            await server.until_ready()
        yield server
    finally:
        started = psutil.Process(process.pid).children(recursive=True)
        assert started
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            await process.wait()
        _, alive = psutil.wait_procs(started, timeout=10)
        assert not alive, "what it started has to end with it"


def the_desks_llm(server: Served) -> tuple[Catalog, LLM]:
    catalog = Catalog(
        LLMEnvironment(vllm_base_url=server.address, model=MODEL_NAME),
        builtin=BuiltinLLM(),
    )
    return catalog, catalog.select().llm


async def test_the_table_of_families_names_parsers_that_vllm_has() -> None:
    script = (
        "import json\n"
        "from vllm.tool_parsers import _TOOL_PARSERS_TO_REGISTER as tools\n"
        "from vllm.reasoning import _REASONING_PARSERS_TO_REGISTER as thoughts\n"
        "print(json.dumps([list(tools), list(thoughts)]))\n"
    )
    process = await asyncio.create_subprocess_exec(
        str(HERE.python), "-c", script, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    tools, thoughts = json.loads(out.decode().splitlines()[-1])
    assert {family.tools for family in FAMILIES} <= set(tools)
    assert {family.reasoning for family in FAMILIES} - {None} <= set(thoughts)


async def test_the_desk_thinks_with_it(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        assert "leaves tools out" in server.said, "this small model cannot be shown tools"
        catalog, llm = the_desks_llm(server)
        try:
            heard = Heard()
            asked = msgspec.structs.replace(
                QUESTION, model=MODEL_NAME, temperature=0.0, max_output_tokens=24
            )
            reply = await llm.complete(asked, heard)
            assert heard.text == reply.text
            assert reply.text.strip()
            assert len(heard.deltas) > 1, "it streams"
            assert reply.usage is not None
            assert reply.usage.input_tokens > 10
            assert 1 <= reply.usage.output_tokens <= 24
            again = await llm.complete(asked, Heard())
            assert again.text == reply.text, "temperature 0 gives the same answer"
        finally:
            await catalog.aclose()
        async with aiohttp.ClientSession() as web:
            async with web.get(f"{server.address}/health") as answer:
                assert answer.status == 200
            async with web.get(f"{server.address}/metrics") as answer:
                assert "vllm:generation_tokens_total" in await answer.text()


async def test_it_serves_embeddings(tmp_path: Path) -> None:
    async with served(tmp_path, "--embeddings") as server:
        async with openai.AsyncOpenAI(base_url=f"{server.address}/v1", api_key="none") as client:
            texts = ["Profit rose.", "Profit rose.", "The ship sank in a storm."]
            answer = await client.embeddings.create(model=MODEL_NAME, input=texts)
    first, second, other = (one.embedding for one in answer.data)
    assert len(first) == 576
    assert first == pytest.approx(second, abs=1e-3)
    assert first != pytest.approx(other, abs=1e-2)


async def test_a_model_that_cannot_be_loaded_is_told_with_the_end_of_the_log(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "nonsense"}')
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", "serve-llm", str(folder), "--vllm", str(HERE.vllm),
        "--data-dir", str(tmp_path), stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(300):
        _, said = await process.communicate()
    assert process.returncode == 1
    assert b"vLLM ended by itself" in said
    assert b"nonsense" in said
