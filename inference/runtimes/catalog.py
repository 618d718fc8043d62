"""The one list of runtimes. A runtime's module is imported when it is asked for."""

from importlib import import_module
from typing import cast

from inference.errors import BadModel
from inference.runtimes.connections import Connections, no_connections
from inference.runtimes.runtime import Runtime

_WHERE = {
    "numpy": ("inference.runtimes.numpy_", "NumpyRuntime"),
    "onnx": ("inference.runtimes.onnx_", "OnnxRuntime"),
    "pytorch": ("inference.runtimes.pytorch", "PyTorchRuntime"),
    "scikit_learn": ("inference.runtimes.scikit_learn", "ScikitLearnRuntime"),
    "xgboost": ("inference.runtimes.xgboost_", "XGBoostRuntime"),
    "tensorflow": ("inference.runtimes.tensorflow_", "TensorFlowRuntime"),
    "huggingface": ("inference.runtimes.huggingface", "HuggingFaceRuntime"),
    "openai": ("inference.runtimes.openai_", "OpenAIRuntime"),
    "anthropic": ("inference.runtimes.anthropic_", "AnthropicRuntime"),
}
RUNTIMES: tuple[str, ...] = tuple(_WHERE)
_CONNECTED = frozenset({"openai", "anthropic"})


def runtime_for(name: str, *, connections: Connections = no_connections) -> Runtime:
    """Return the runtime of that name. Its framework is imported when it loads something.

    Those that ask somebody else's computer find it, and the key for it, by `connections`.

    Raises:
        BadModel: there is none of that name.
    """
    if name == "remote":
        raise BadModel("a remote member is asked at its model's deploymentUrl; this one has none")
    if name not in _WHERE:
        raise BadModel(f"no runtime {name!r} here; there are {', '.join(RUNTIMES)}")
    module, kind = _WHERE[name]
    made = getattr(import_module(module), kind)
    return cast(Runtime, made(connections=connections) if name in _CONNECTED else made())
