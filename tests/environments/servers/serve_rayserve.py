"""Start Ray Serve with a deployment that speaks the Open Inference Protocol.

Runs in Ray's own environment: PORT GRPC_PORT FOLDER. Ray Serve has no protocol of its own: this is
what somebody writes who wants to be asked by one.
"""

# Its packages are installed nowhere but in its own environment:
# mypy: ignore-errors

import signal
import sys
import threading

import arithmetic
import numpy as np
import ray
from fastapi import FastAPI, HTTPException
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from ray import serve

api = FastAPI()
NAMES = ("sum", "range", "mixed", "slow", "broken")


class Tensor(BaseModel):
    """A tensor of a question."""

    name: str
    shape: list[int]
    datatype: str
    data: list


class Question(BaseModel):
    """The body of `infer`."""

    id: str = ""
    inputs: list[Tensor]


@serve.deployment(max_ongoing_requests=16)
@serve.ingress(api)
class Small:
    """All the small models."""

    @staticmethod
    def _known(name: str) -> None:
        if name not in NAMES:
            raise HTTPException(404, f"there is no model {name}")

    @api.get("/v2/models/{name}/ready")
    def ready(self, name: str) -> dict:
        """Whether it may be asked."""
        self._known(name)
        return {"name": name, "ready": True}

    @api.get("/v2/models/{name}")
    def metadata(self, name: str) -> dict:
        """Tell the signature."""
        self._known(name)
        inputs = [{"name": "rows", "datatype": "FP64", "shape": [-1, 2]}]
        if name == "mixed":
            inputs = [
                {"name": column, "datatype": datatype, "shape": [-1]}
                for column, datatype in arithmetic.MIXED.items()
            ]
        named = ("low", "high") if name == "range" else ("value",)
        outputs = [{"name": one, "datatype": "FP64", "shape": [-1, 1]} for one in named]
        return {"name": name, "platform": "python", "inputs": inputs, "outputs": outputs}

    @api.post("/v2/models/{name}/infer")
    async def infer(self, name: str, question: Question) -> dict:
        """Answer."""
        self._known(name)
        outputs = await run_in_threadpool(self._of, name, question)
        told = [
            {"name": one, "datatype": "FP64", "shape": [len(values), 1], "data": values.tolist()}
            for one, values in outputs.items()
        ]
        return {"model_name": name, "id": question.id, "outputs": told}

    @staticmethod
    def _of(name: str, question: Question) -> dict:
        if name == "mixed":
            given = {tensor.name: tensor.data for tensor in question.inputs}
            return {"value": arithmetic.mixed(*(given[one] for one in arithmetic.MIXED))}
        tensor = question.inputs[0]
        if tensor.shape[1:] != [2]:
            raise HTTPException(422, f"rows has the shape {tensor.shape}; [-1, 2] is expected")
        matrix = np.array(tensor.data, dtype=np.float64).reshape(tensor.shape)
        match name:
            case "range":
                low, high = arithmetic.ends(matrix)
                return {"low": low, "high": high}
            case "slow":
                return {"value": arithmetic.slow(matrix)}
            case "broken":
                return {"value": arithmetic.broken()}
            case _:
                return {"value": arithmetic.total(matrix)}


if __name__ == "__main__":
    ray.init(num_cpus=4, include_dashboard=False, configure_logging=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Small.bind())
    few = Small.options(name="Few", max_ongoing_requests=1, max_queued_requests=1)
    serve.run(few.bind(), name="few", route_prefix="/few")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    ray.shutdown()
    sys.exit(0)
