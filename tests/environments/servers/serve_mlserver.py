"""Start MLServer with a scikit-learn model of its own runtime and the small models.

Runs in MLServer's own environment: PORT GRPC_PORT FOLDER. MLServer imports its models from here.
"""

# Its packages are installed nowhere but in its own environment:
# mypy: ignore-errors

import asyncio
import json
import os
import sys
from pathlib import Path

import arithmetic
import joblib
import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from sklearn.linear_model import LinearRegression


class Small(MLModel):
    """Any of the small models, by its name."""

    async def load(self) -> bool:
        """Nothing to load; `unready` never ends loading."""
        if self.name == "unready":
            await asyncio.Event().wait()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer."""
        if self.name == "mixed":
            given = {one.name: one for one in payload.inputs}
            words = StringCodec.decode_input(given.pop("word"))
            columns = [NumpyCodec.decode_input(given[name]) for name in given]
            outputs = {"value": arithmetic.mixed(*(one.ravel() for one in columns), words)}
        else:
            outputs = self._of(NumpyCodec.decode_input(payload.inputs[0]))
        return InferenceResponse(
            id=payload.id,
            model_name=self.name,
            model_version=self.version,
            outputs=[
                NumpyCodec.encode_output(name, values.reshape(-1, 1))
                for name, values in outputs.items()
            ],
        )

    def _of(self, matrix: np.ndarray) -> dict:
        match self.name:
            case "versioned":
                return {"value": arithmetic.versioned(matrix, self.version)}
            case "range":
                low, high = arithmetic.ends(matrix)
                return {"low": low, "high": high}
            case "slow":
                return {"value": arithmetic.slow(matrix)}
            case "broken":
                return {"value": arithmetic.broken()}
            case _:
                return {"value": arithmetic.total(matrix)}


MATRIX = [{"name": "rows", "datatype": "FP64", "shape": [-1, 2]}]
VALUE = [{"name": "value", "datatype": "FP64", "shape": [-1, 1]}]
ENDS = [{"name": name, "datatype": "FP64", "shape": [-1, 1]} for name in ("low", "high")]
TYPED = [
    {"name": name, "datatype": datatype, "shape": [-1]}
    for name, datatype in arithmetic.MIXED.items()
]


def write(folder: Path, name: str, version: str | None = None, **settings: object) -> None:
    """Write what MLServer reads of a model."""
    place = folder / (name if version is None else f"{name}-{version}")
    place.mkdir()
    told = {"name": name, "implementation": "serve_mlserver.Small", **settings}
    told.setdefault("inputs", MATRIX)
    told.setdefault("outputs", VALUE)
    if version is not None:
        told["parameters"] = {"version": version}
    (place / "model-settings.json").write_text(json.dumps(told))


def main(port: int, grpc_port: int, folder: Path) -> None:
    """Write the models and become MLServer."""
    repository = folder / "models"
    repository.mkdir()
    for name in ("sum", "slow", "broken", "unready"):
        write(repository, name)
    for version in arithmetic.VERSIONS:
        write(repository, "versioned", version)
    write(repository, "range", outputs=ENDS)
    write(repository, "mixed", inputs=TYPED)
    write(repository, "wide", inputs=[{**MATRIX[0], "shape": [-1, arithmetic.WIDE]}])
    # Of what the runtime of scikit-learn serves it knows no signature.
    write(
        repository,
        "linear",
        implementation="mlserver_sklearn.SKLearnModel",
        inputs=[],
        outputs=[],
        parameters={"uri": "./model.joblib", "version": "1"},
    )
    joblib.dump(
        LinearRegression().fit(*arithmetic.linear_data()), repository / "linear" / "model.joblib"
    )
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": grpc_port,
        "metrics_endpoint": None,
        "parallel_workers": 0,
    }
    (repository / "settings.json").write_text(json.dumps(settings))
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    program = Path(sys.executable).parent / "mlserver"
    os.execv(program, [str(program), "start", str(repository)])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
