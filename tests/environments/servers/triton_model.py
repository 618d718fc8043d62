"""The small models as Triton's Python backend runs them; which one, its configuration says."""

# Its packages are installed nowhere but in its own environment:
# mypy: ignore-errors

import json

import arithmetic
import numpy as np
import triton_python_backend_utils as triton


class TritonPythonModel:
    """One small model."""

    def initialize(self, args: dict) -> None:
        """Read which one it is; `unready` cannot be loaded."""
        self._name, self._version = args["model_name"], args["model_version"]
        if self._name == "unready":
            raise triton.TritonModelException("this model cannot be loaded")
        config = json.loads(args["model_config"])
        self._types = {
            one["name"]: triton.triton_string_to_numpy(one["data_type"]) for one in config["output"]
        }

    def execute(self, requests: list) -> list:
        """Answer each request."""
        answers = []
        for request in requests:
            made = [
                triton.Tensor(name, values.reshape(-1, 1).astype(self._types[name]))
                for name, values in self._of(request).items()
            ]
            answers.append(triton.InferenceResponse(output_tensors=made))
        return answers

    def _of(self, request: object) -> dict:
        if self._name == "mixed":
            columns = [self._given(request, name).ravel() for name in arithmetic.MIXED]
            words = [word.decode() for word in columns.pop()]
            return {"value": arithmetic.mixed(*columns, words)}
        matrix = self._given(request, "rows")
        match self._name:
            case "versioned":
                return {"value": arithmetic.versioned(matrix, self._version)}
            case "range":
                low, high = arithmetic.ends(matrix)
                return {"low": low, "high": high}
            case "slow" | "queued":
                return {"value": arithmetic.slow(matrix)}
            case "broken":
                return {"value": arithmetic.broken()}
            case _:
                return {"value": arithmetic.total(matrix)}

    @staticmethod
    def _given(request: object, name: str) -> np.ndarray:
        return triton.get_input_tensor_by_name(request, name).as_numpy()
