"""Start KServe's model server with the small models: v1, v2 and gRPC.

Runs in KServe's own environment: PORT GRPC_PORT FOLDER.
"""

# Its packages are installed nowhere but in its own environment:
# mypy: ignore-errors

import sys

import arithmetic
import numpy as np

PORT, GRPC_PORT = int(sys.argv[1]), int(sys.argv[2])
sys.argv[1:] = []  # KServe reads them when it is imported

from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer  # noqa: E402
from kserve.errors import InvalidInput  # noqa: E402


class Small(Model):
    """Any of the small models, by its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.ready = True
        self._width = arithmetic.WIDE if name == "wide" else len(arithmetic.COLUMNS)

    async def healthy(self) -> bool:
        """All are, but one."""
        return self.name != "unready"

    def load(self) -> bool:
        """Nothing to load."""
        return self.ready

    async def get_input_types(self) -> list[dict]:
        """Tell the signature."""
        if self.name == "mixed":
            return [
                {"name": name, "datatype": datatype, "shape": [-1]}
                for name, datatype in arithmetic.MIXED.items()
            ]
        return [{"name": "rows", "datatype": "FP64", "shape": [-1, self._width]}]

    async def get_output_types(self) -> list[dict]:
        """Tell the signature."""
        names = ("low", "high") if self.name == "range" else ("value",)
        return [{"name": name, "datatype": "FP64", "shape": [-1, 1]} for name in names]

    def predict(self, payload, headers=None, response_headers=None):
        """Answer in the form of the question: v1 is a dictionary."""
        if isinstance(payload, dict):
            return {"predictions": self._v1(payload["instances"])}
        outputs = self._v2(payload)
        made = []
        for name, values in outputs.items():
            output = InferOutput(name=name, shape=[len(values), 1], datatype="FP64")
            output.set_data_from_numpy(values.reshape(-1, 1), binary_data=False)
            made.append(output)
        return InferResponse(response_id=payload.id, model_name=self.name, infer_outputs=made)

    def _v1(self, instances: list) -> list:
        if self.name == "mixed":
            columns = [[one[name] for one in instances] for name in arithmetic.MIXED]
            return arithmetic.mixed(*columns).tolist()
        outputs = self._of(np.array(instances, dtype=np.float64))
        if len(outputs) == 1:
            return next(iter(outputs.values())).tolist()
        rows = zip(*(values.tolist() for values in outputs.values()), strict=True)
        return [dict(zip(outputs, row, strict=True)) for row in rows]

    def _v2(self, payload: InferRequest) -> dict:
        if self.name == "mixed":
            given = {one.name: one.as_numpy() for one in payload.inputs}
            words = [
                word.decode() if isinstance(word, bytes) else word for word in given.pop("word")
            ]
            return {"value": arithmetic.mixed(*given.values(), words)}
        return self._of(payload.inputs[0].as_numpy())

    def _of(self, matrix: np.ndarray) -> dict:
        if matrix.ndim != 2 or matrix.shape[1] != self._width:
            raise InvalidInput(
                f"rows has the shape {list(matrix.shape)}; [-1, {self._width}] is expected"
            )
        match self.name:
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
    names = ("sum", "range", "mixed", "slow", "broken", "unready", "wide")
    ModelServer(http_port=PORT, grpc_port=GRPC_PORT, workers=1).start([Small(n) for n in names])
