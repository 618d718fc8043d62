"""A server that adds up columns and speaks the gRPC protocols as the real ones do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import numpy as np

from inference.runtimes.remote import open_inference_rpc, tf_serving_rpc
from inference.runtimes.remote.tensors import pack_texts
from tests.contracts.remote.fake_http import Elsewhere

CODES = {
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    404: grpc.StatusCode.NOT_FOUND,
    400: grpc.StatusCode.INVALID_ARGUMENT,
    500: grpc.StatusCode.INTERNAL,
    403: grpc.StatusCode.PERMISSION_DENIED,
    503: grpc.StatusCode.UNAVAILABLE,
}
Answer = Callable[[Any, grpc.aio.ServicerContext[Any, Any]], Awaitable[Any]]


class RpcElsewhere(Elsewhere):
    """The same server, called over gRPC."""

    def __init__(self) -> None:
        super().__init__()
        self.code: grpc.StatusCode | None = None
        """It refuses with this, and says `details` and `trailing`."""
        self.details = "no"
        self.trailing: tuple[tuple[str, str], ...] = ()
        self.metadata: dict[str, Any] = {}
        """Of the last inference."""
        self.raw = True
        """It answers with bytes; otherwise with numbers."""
        self.says: bytes | None = None
        """It answers with these bytes, whatever they are."""
        self.version = ""
        """Which one it says that answered, instead of the one that was asked."""
        self.tells = True
        """It knows the methods that tell of a model."""
        self.inputs: dict[str, tuple[str, list[int]]] = {}
        """What it says that it takes, instead of one tensor."""
        self.relay = Relay()

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        oip, tfs = open_inference_rpc.messages(), tf_serving_rpc.messages()
        inference = {
            "ModelReady": (oip["ModelReadyRequest"], self._oip_ready),
            "ModelMetadata": (oip["ModelMetadataRequest"], self._oip_metadata),
            "ModelInfer": (oip["ModelInferRequest"], self._oip_infer),
        }
        predictions = {
            "GetModelMetadata": (tfs["GetModelMetadataRequest"], self._tfs_metadata),
            "Predict": (tfs["PredictRequest"], self._tfs_predict),
        }
        models = {"GetModelStatus": (tfs["GetModelStatusRequest"], self._tfs_status)}
        return [
            _service(open_inference_rpc.SERVICE, inference),
            _service(tf_serving_rpc.PREDICTIONS, predictions),
            _service(tf_serving_rpc.MODELS, models),
        ]

    async def _may_tell(self, context: Any) -> None:
        if not self.tells:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")

    async def _oip_ready(self, _: Any, context: Any) -> Any:
        await self._may_tell(context)
        return open_inference_rpc.messages()["ModelReadyResponse"](ready=self.ready)

    async def _oip_metadata(self, _: Any, __: Any) -> Any:
        made = open_inference_rpc.messages()["ModelMetadataResponse"]()
        inputs = self.inputs or {"INPUT": ("FP32", [-1, self.width])}
        for name, (datatype, sizes) in inputs.items():
            made.inputs.add(name=name, datatype=datatype, shape=sizes)
        made.outputs.add(name="OUTPUT", datatype="FP32", shape=[-1, 1])
        return made

    async def _oip_infer(self, asked: Any, context: Any) -> Any:
        other = await self._misbehave(asked, context)
        if other is not None:
            return other
        one = asked.inputs[0]
        values = self.values
        if values is None:
            given = np.frombuffer(asked.raw_input_contents[0], "<f4").reshape(tuple(one.shape))
            values = given.sum(axis=1).tolist()
        made = open_inference_rpc.messages()["ModelInferResponse"](
            id=asked.id, model_version=self.version or asked.model_version
        )
        kind = "BYTES" if any(isinstance(one, str) for one in values) else "FP32"
        output = made.outputs.add(name="OUTPUT", datatype=kind, shape=[len(values), 1])
        texts = [str(one).encode() for one in values]
        if self.raw and kind == "FP32":
            made.raw_output_contents.append(np.array(values, "<f4").tobytes())
        elif self.raw:
            made.raw_output_contents.append(pack_texts(texts))
        elif kind == "FP32":
            output.contents.fp32_contents.extend(values)
        else:
            output.contents.bytes_contents.extend(texts)
        return made

    async def _tfs_status(self, _: Any, context: Any) -> Any:
        await self._may_tell(context)
        made = tf_serving_rpc.messages()["GetModelStatusResponse"]()
        made.model_version_status.add(version=1, state=30 if self.ready else 20)
        return made

    async def _tfs_metadata(self, _: Any, context: Any) -> Any:
        await self._may_tell(context)
        all_of_them = tf_serving_rpc.messages()["SignatureDefMap"]()
        one = all_of_them.signature_def["serving_default"]
        for tensors, name in ((one.inputs, "x"), (one.outputs, "out")):
            tensors[name].dtype = 1
            for size in (-1, self.width):
                tensors[name].tensor_shape.dim.add(size=size)
        made = tf_serving_rpc.messages()["GetModelMetadataResponse"]()
        made.metadata["signature_def"].value = all_of_them.SerializeToString()
        return made

    async def _tfs_predict(self, asked: Any, context: Any) -> Any:
        other = await self._misbehave(asked, context)
        if other is not None:
            return other
        one = asked.inputs["x"]
        sizes = tuple(dim.size for dim in one.tensor_shape.dim)
        given = np.frombuffer(one.tensor_content, "<f4").reshape(sizes)
        values = given.sum(axis=1).tolist() if self.values is None else self.values
        made = tf_serving_rpc.messages()["PredictResponse"]()
        output = made.outputs["out"]
        for size in (len(values), 1):
            output.tensor_shape.dim.add(size=size)
        if any(isinstance(one, str) for one in values):
            output.dtype = 7
            output.string_val.extend(str(one).encode() for one in values)
        elif self.raw:
            output.dtype, output.tensor_content = 1, np.array(values, "<f4").tobytes()
        else:
            output.dtype = 1
            output.float_val.extend(values)
        return made

    async def _misbehave(self, asked: Any, context: Any) -> Any:
        self.asked.append(asked)
        self.metadata = dict(context.invocation_metadata())
        if self.waits is not None:
            await self.waits.wait()
        if self.status == 502:
            self.relay.cut()
            await asyncio.Event().wait()  # it ends with the connection
        code = self.code if self.status is None else CODES[self.status]
        if code is not None:
            await context.abort(code, self.details, trailing_metadata=self.trailing)
        return self.says


class Relay:
    """Stands before the server and can cut its connections."""

    def __init__(self) -> None:
        self.accepted = 0
        self.lost = 0
        """What goes over the first so many connections goes nowhere, and nobody is told."""
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def until_idle(self) -> None:
        """Return when there is no connection."""
        await asyncio.gather(*self._tasks)

    def cut(self) -> None:
        """Cut every connection there is."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    @asynccontextmanager
    async def before(self, port: int) -> AsyncIterator[int]:
        """Listen, and pass on to a port."""

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.accepted += 1
            there, back = await asyncio.open_connection("127.0.0.1", port)
            self._writers += [writer, back]
            for source, sink in ((reader, back), (there, writer)):
                task = asyncio.create_task(self._pump(source, sink, self.accepted))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            self.cut()
            await asyncio.gather(*self._tasks)
            await server.wait_closed()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, number: int
    ) -> None:
        try:
            while data := await source.read(65_536):
                if number > self.lost:
                    sink.write(data)
                    await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()


def _service(path: str, methods: Mapping[str, tuple[Any, Answer]]) -> grpc.GenericRpcHandler:
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=asked.FromString,
            response_serializer=lambda made: (
                made if isinstance(made, bytes) else made.SerializeToString()
            ),
        )
        for name, (asked, answer) in methods.items()
    }
    return grpc.method_handlers_generic_handler(path.strip("/"), handlers)


@asynccontextmanager
async def serving_rpc(
    *, credentials: grpc.ServerCredentials | None = None, port: int = 0
) -> AsyncIterator[RpcElsewhere]:
    elsewhere = RpcElsewhere()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(elsewhere.handlers())
    if credentials is None:
        port = server.add_insecure_port(f"127.0.0.1:{port}")
    else:
        port = server.add_secure_port(f"127.0.0.1:{port}", credentials)
    await server.start()
    try:
        async with elsewhere.relay.before(port) as before:
            elsewhere.url = f"127.0.0.1:{before}"
            yield elsewhere
    finally:
        await server.stop(None)
