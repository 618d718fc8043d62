"""What only gRPC has: a connection that is held, codes, certificates, packed answers."""

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import msgspec
import numpy as np
import pytest

from app.security.outbound import Allowed
from app.wiring.remote import GuardedLine
from app.wiring.remote_rpc import GuardedWire, system_roots
from inference.bundle import BUNDLE_FILE, InputColumn
from inference.errors import (
    BadInput,
    BadModel,
    DeadlineExceeded,
    InferenceError,
    MissingFramework,
    ModelFailed,
    NotReady,
    Overloaded,
    WorkerLost,
)
from inference.requests import Rows
from inference.runtimes.remote.line import MOST_READ, MOST_SENT, Call, Spoken
from inference.runtimes.remote.open_inference_rpc import messages
from inference.runtimes.remote.rpc import ask
from tests.contracts.remote.certificates import certificates
from tests.contracts.remote.desk import ROWS, Desk, bundle
from tests.contracts.remote.fake_rpc import RpcElsewhere, serving_rpc
from tests.contracts.remote.rogue_http2 import bomb

PROTOCOLS = ("oip+grpc", "tfs+grpc")
both = pytest.mark.parametrize("protocol", PROTOCOLS)
READY = "/inference.GRPCInferenceService/ModelReady"
LOOPBACK = Allowed.read(["127.0.0.1:*", "models.test:*"])


@pytest.fixture
async def server() -> AsyncIterator[RpcElsewhere]:
    async with serving_rpc() as opened:
        yield opened


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Desk(tmp_path) as opened:
        yield opened


@both
async def test_one_connection_carries_all_calls_and_ends_with_the_engine(
    protocol: str, server: RpcElsewhere, desk: Desk
) -> None:
    await asyncio.gather(*(desk.ask(protocol, server.url) for _ in range(20)))
    assert (len(server.asked), server.relay.accepted) == (20, 1)
    await desk.engine.aclose()
    async with asyncio.timeout(5):
        await server.relay.until_idle()


@both
async def test_the_next_call_after_a_cut_connects_at_once(
    protocol: str, server: RpcElsewhere, desk: Desk
) -> None:
    for times in range(1, 4):
        assert await desk.ask(protocol, server.url) == [3.0, 7.5]
        assert server.relay.accepted == times
        server.relay.cut()
        await server.relay.until_idle()


@both
async def test_the_next_call_after_a_silence_takes_another_connection(
    protocol: str, server: RpcElsewhere, desk: Desk
) -> None:
    assert await desk.ask(protocol, server.url) == [3.0, 7.5]
    server.relay.lost = 1
    with pytest.raises(DeadlineExceeded):
        await desk.ask(protocol, server.url, deadline_s=0.5)
    assert await desk.ask(protocol, server.url) == [3.0, 7.5]
    assert server.relay.accepted == 2


async def test_a_server_that_comes_up_is_reached_by_the_next_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    wire = GuardedWire(f"grpc://127.0.0.1:{port}", LOOPBACK)
    for _ in range(3):
        with pytest.raises(WorkerLost, match="No connection"):
            await ready(wire)
    async with serving_rpc(port=port):
        assert (await ready(wire)).code == "OK", "nobody waits out a pause"
        await wire.aclose()


async def test_an_answer_to_another_question_is_refused(server: RpcElsewhere, desk: Desk) -> None:
    answer = messages()["ModelInferResponse"](id="of somebody else")
    server.says = answer.SerializeToString()
    with pytest.raises(ModelFailed, match="another request"):
        await desk.ask("oip+grpc", server.url)
    server.says, server.version = None, "9"
    with pytest.raises(ModelFailed, match="version 9 answered instead of 7"):
        await desk.ask_at(f"oip+grpc://{server.url}/sum/versions/7")


@both
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("RESOURCE_EXHAUSTED", Overloaded), ("UNAVAILABLE", NotReady),
        ("DEADLINE_EXCEEDED", None), ("NOT_FOUND", WorkerLost), ("CANCELLED", WorkerLost),
        ("INVALID_ARGUMENT", BadInput), ("FAILED_PRECONDITION", BadInput),
        ("OUT_OF_RANGE", BadInput), ("UNIMPLEMENTED", BadModel), ("PERMISSION_DENIED", BadModel),
        ("UNAUTHENTICATED", BadModel), ("INTERNAL", ModelFailed), ("UNKNOWN", ModelFailed),
        ("ABORTED", ModelFailed), ("DATA_LOSS", ModelFailed), ("ALREADY_EXISTS", ModelFailed),
    ],
)  # fmt: skip
async def test_every_code_is_a_typed_error(
    protocol: str, code: str, error: type[InferenceError] | None, server: RpcElsewhere, desk: Desk
) -> None:
    server.code, server.details = grpc.StatusCode[code], "because of the moon"
    with pytest.raises(InferenceError) as raised:
        await desk.ask(protocol, server.url)
    assert raised.value.code == ("deadline_exceeded" if error is None else error.code)
    if error not in (BadModel, None):
        assert "because of the moon" in str(raised.value)


@both
async def test_a_server_says_when_to_come_again(
    protocol: str, server: RpcElsewhere, desk: Desk
) -> None:
    server.code = grpc.StatusCode.UNAVAILABLE
    server.trailing = (("grpc-retry-pushback-ms", "2500"),)
    with pytest.raises(Overloaded) as raised:
        await desk.ask(protocol, server.url)
    assert raised.value.retry_after_s == 2.5


@both
async def test_a_request_that_the_server_finds_too_long_is_the_callers_fault(
    protocol: str, server: RpcElsewhere, desk: Desk
) -> None:
    server.code = grpc.StatusCode.RESOURCE_EXHAUSTED
    server.details = "SERVER: Received message larger than max (64 vs. 32)"
    with pytest.raises(BadInput, match="as long as this one"):
        await desk.ask(protocol, server.url)


@both
async def test_answers_may_come_as_numbers_instead_of_bytes(
    protocol: str, server: RpcElsewhere, desk: Desk
) -> None:
    server.raw = False
    assert await desk.ask(protocol, server.url) == [3.0, 7.5]


@both
async def test_what_is_no_message_is_refused(
    protocol: str, server: RpcElsewhere, desk: Desk
) -> None:
    server.says = b"\xff\xff\xff\xff"
    with pytest.raises(ModelFailed, match="cannot be read"):
        await desk.ask(protocol, server.url)


@both
async def test_the_call_has_the_desks_number_of_the_request(
    protocol: str, server: RpcElsewhere, desk: Desk
) -> None:
    await desk.ask(protocol, server.url)
    assert len(server.metadata["x-request-id"]) == 36
    if protocol == "oip+grpc":
        assert server.asked[-1].id == server.metadata["x-request-id"]


@both
async def test_no_more_is_read_than_is_allowed(
    protocol: str, server: RpcElsewhere, desk: Desk
) -> None:
    server.says = bytes(MOST_READ + 1)
    with pytest.raises(ModelFailed, match="longer than 16,777,216 bytes"):
        await desk.ask(protocol, server.url)


async def test_no_more_is_sent_than_is_allowed(server: RpcElsewhere) -> None:
    wire = GuardedWire(f"grpc://{server.url}", LOOPBACK)
    call = Call(GuardedLine(LOOPBACK), monotonic() + 5.0)
    with pytest.raises(BadInput, match="16,777,216 may be sent at once"):
        await ask(call, wire, READY, bytes(MOST_SENT + 1))
    assert server.relay.accepted == 0
    await wire.aclose()


async def test_an_answer_that_is_packed_is_not_unpacked() -> None:
    async with bomb() as port:
        wire = GuardedWire(f"grpc://127.0.0.1:{port}", LOOPBACK)
        try:
            told = await wire.unary(READY, b"", metadata={}, timeout_s=5.0)
            assert told.code in {"INTERNAL", "UNIMPLEMENTED"}, "as the version of gRPC has it"
            assert told.message == b""
        finally:
            await wire.aclose()


async def test_a_web_server_is_told_apart(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as web:
        port = web.sockets[0].getsockname()[1]
        async with Desk(tmp_path, idempotent=False) as desk:
            with pytest.raises(WorkerLost, match="does not speak gRPC"):
                await desk.ask("oip+grpc", f"127.0.0.1:{port}")


async def test_columns_go_in_the_form_that_the_server_takes(
    server: RpcElsewhere, tmp_path: Path
) -> None:
    server.inputs = {"x": ("INT64", [-1, 1]), "y": ("FP64", [-1]), "word": ("BYTES", [-1, 1])}
    made = bundle()
    member = msgspec.structs.replace(made.members[0], columns=("x", "y", "word"))
    rows = Rows(ROWS.names, ROWS.numbers, {"word": ("up", "übel")})
    async with Desk(tmp_path) as desk:
        changed = msgspec.structs.replace(
            made,
            members=(member,),
            inputs=(*made.inputs, InputColumn(name="word", kind="text")),
        )
        (tmp_path / BUNDLE_FILE).write_bytes(msgspec.json.encode(changed))
        server.values = [1.0, 2.0]
        assert await desk.ask("oip+grpc", server.url, rows=rows) == [1.0, 2.0]
    asked = server.asked[-1]
    assert [(one.name, one.datatype, list(one.shape)) for one in asked.inputs] == [
        ("x", "INT64", [2, 1]), ("y", "FP64", [2]), ("word", "BYTES", [2, 1]),
    ]  # fmt: skip
    assert asked.raw_input_contents[0] == np.array([1, 3], "<i8").tobytes()
    assert asked.raw_input_contents[1] == np.array([2.0, 4.5]).tobytes()
    assert asked.raw_input_contents[2] == b"\x02\0\0\0up\x05\0\0\0" + "übel".encode()


async def test_a_server_that_tells_nothing_is_asked_for_what_the_bundle_says(
    server: RpcElsewhere, tmp_path: Path
) -> None:
    server.tells = False
    async with Desk(tmp_path, input="x", datatype="FP32") as desk:
        assert await desk.ask("tfs+grpc", server.url) == [3.0, 7.5]
    with pytest.raises(BadModel, match="does not speak the protocol"):
        async with Desk(tmp_path) as desk:
            await desk.ask("oip+grpc", server.url)


@pytest.mark.parametrize(("version", "number", "label"), [("7", 7, ""), ("stable", 0, "stable")])
async def test_a_version_goes_by_its_number_or_its_label(
    version: str, number: int, label: str, server: RpcElsewhere, desk: Desk
) -> None:
    url = f"{server.url}/sum/versions/{version}"
    assert await desk.ask_at(f"tfs+grpc://{url}") == [3.0, 7.5]
    spec = server.asked[-1].model_spec
    assert (spec.version.value, spec.version_label) == (number, label)
    assert await desk.ask_at(f"oip+grpc://{url}") == [3.0, 7.5]
    assert server.asked[-1].model_version == version


class Names:
    """A resolver whose answers change."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        assert host == "models.test"
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


async def ready(wire: GuardedWire) -> Spoken:
    return await wire.unary(READY, b"", metadata={}, timeout_s=5.0)


@asynccontextmanager
async def wired(server: RpcElsewhere, **options: Any) -> AsyncIterator[GuardedWire]:
    port = server.url.rpartition(":")[2]
    wire = GuardedWire(f"grpc://models.test:{port}", **{"allowed": LOOPBACK, **options})
    try:
        yield wire
    finally:
        await wire.aclose()


async def test_a_name_is_judged_before_every_call_and_never_asked_for_by_grpc(
    server: RpcElsewhere,
) -> None:
    names = Names(
        ["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2", "127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"], []
    )
    async with wired(server, resolve=names) as wire:
        assert (await ready(wire)).code == "OK", "models.test is known to no other resolver"
        assert (await ready(wire)).code == "OK"
        assert (await ready(wire)).code == "OK"
        assert (names.asked, server.relay.accepted) == (3, 1)
        with pytest.raises(WorkerLost, match="No connection"):
            await ready(wire)
        assert (await ready(wire)).code == "OK", "the name leads back: another connection"
        assert server.relay.accepted == 2
        with pytest.raises(WorkerLost, match="not known"):
            await ready(wire)


async def test_of_several_addresses_one_that_answers_is_enough(server: RpcElsewhere) -> None:
    async with wired(server, resolve=Names(["127.0.0.2", "127.0.0.1", "::1"])) as wire:
        assert (await ready(wire)).code == "OK"


async def test_a_name_that_turns_to_a_private_address_is_called_no_more(
    server: RpcElsewhere,
) -> None:
    port = int(server.url.rpartition(":")[2])
    listed = Allowed.read([f"other.test:{port}"])
    async with wired(server, allowed=listed, resolve=Names(["127.0.0.1"])) as wire:
        with pytest.raises(BadModel, match=r"Port \d+ is not allowed"):
            await ready(wire)
    wire = GuardedWire("grpc://models.test:8080", Allowed(), resolve=Names(["127.0.0.1"]))
    with pytest.raises(BadModel, match=r"leads to 127\.0\.0\.1, which is not a public address"):
        await ready(wire)
    await wire.aclose()
    assert server.relay.accepted == 0


async def test_no_proxy_of_the_environment_is_asked(
    server: RpcElsewhere, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        monkeypatch.setenv("GRPC_ADDRESS_HTTP_PROXY", f"127.0.0.1:{port}")
        monkeypatch.setenv("GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES", "127.0.0.0/8")
        assert await desk.ask("oip+grpc", server.url) == [3.0, 7.5]
    assert asked == 0


async def test_a_server_with_tls_has_to_be_who_it_says(server: RpcElsewhere) -> None:
    made = certificates("models.test")
    other = certificates("models.test")
    async with serving_rpc(credentials=made.credentials) as secure:
        port = secure.url.rpartition(":")[2]
        allowed = Allowed.read([f"models.test:{port}", f"wrong.test:{port}"])

        async def say(host: str, roots: bytes) -> Spoken:
            async def resolve(_: str, __: int) -> Sequence[str]:
                return ["127.0.0.1"]

            wire = GuardedWire(
                f"grpcs://{host}:{port}", allowed, resolve=resolve, roots=lambda: roots
            )
            try:
                return await ready(wire)
            finally:
                await wire.aclose()

        assert (await say("models.test", made.root)).code == "OK"
        for host, roots in (("models.test", other.root), ("wrong.test", made.root)):
            with pytest.raises(WorkerLost, match="certificate is not valid"):
                await say(host, roots)
    plain = GuardedWire(f"grpcs://{server.url}", LOOPBACK, roots=lambda: made.root)
    with pytest.raises(WorkerLost, match="No secure connection"):
        await ready(plain)
    await plain.aclose()


def test_the_certificates_that_are_trusted_are_those_of_this_system() -> None:
    trusted = ssl.create_default_context().get_ca_certs()
    assert (system_roots() or b"").count(b"BEGIN CERTIFICATE") == len(trusted)


CALLS_AND_STARTS_PROGRAMS = """
import asyncio, sys
from app.security.outbound import Allowed
from app.wiring.remote_rpc import GuardedWire

async def main(server, method):
    wire = GuardedWire(server, Allowed.read(["127.0.0.1:*"]))
    for _ in range(5):
        calls = (wire.unary(method, b"", metadata={}, timeout_s=20) for _ in range(10))
        said = await asyncio.gather(*calls, asyncio.create_subprocess_exec("true"))
    print(said[0].code)
    await wire.aclose()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_programs_that_start_beside_calls_leave_no_words(server: RpcElsewhere) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CALLS_AND_STARTS_PROGRAMS, f"grpc://{server.url}", READY,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(50):
        assert await process.communicate() == (b"OK\n", b"")


async def test_without_grpc_a_desk_says_how_to_install_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.setitem(sys.modules, "grpc.aio", None)
    with pytest.raises(MissingFramework, match=r"outcry\[grpc\]"):
        await desk.ask("oip+grpc", "127.0.0.1:1")
