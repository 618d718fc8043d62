"""The one list of runtimes. A runtime's module is imported when it is asked for."""

from importlib import import_module
from typing import cast

from inference.errors import BadModel
from inference.runtimes.runtime import Runtime

_WHERE = {
    "huggingface": ("inference.runtimes.huggingface", "HuggingFaceRuntime"),
    "numpy": ("inference.runtimes.numpy_", "NumpyRuntime"),
    "onnx": ("inference.runtimes.onnx_", "OnnxRuntime"),
    "pytorch": ("inference.runtimes.pytorch", "PyTorchRuntime"),
    "scikit_learn": ("inference.runtimes.scikit_learn", "ScikitLearnRuntime"),
    "tensorflow": ("inference.runtimes.tensorflow_", "TensorFlowRuntime"),
    "xgboost": ("inference.runtimes.xgboost_", "XGBoostRuntime"),
}
RUNTIMES: tuple[str, ...] = tuple(_WHERE)


def runtime_for(name: str) -> Runtime:
    """Return the runtime of that name. Its framework is imported when it loads something.

    Raises:
        BadModel: there is none of that name.
    """
    if name not in _WHERE:
        raise BadModel(f"no runtime {name!r} here; there are {', '.join(RUNTIMES)}")
    module, kind = _WHERE[name]
    return cast(Runtime, getattr(import_module(module), kind)())
