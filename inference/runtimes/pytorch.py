"""Run declared architectures with PyTorch: weights in safetensors, never a pickled module.

The same architectures and files as the runtime `numpy`, and the same numbers to float32. On CUDA
the network is compiled and replayed as one CUDA graph per block, so that ten thousand series are a
handful of replays; on the CPU nothing is compiled, which would cost seconds at each load.
"""

from pathlib import Path

from inference.bundle import Member
from inference.runtimes.architectures import (
    declared_architecture,
    optional_tensor_shapes,
    tensor_shapes,
)
from inference.runtimes.files import member_file
from inference.runtimes.options import SMALL, device_for, import_framework, thread_limit
from inference.runtimes.runtime import Loaded
from inference.runtimes.weights import check_shapes, read_weights


class PyTorchRuntime:
    """Loads networks onto the device."""

    def load(self, folder: Path, member: Member, *, device: str) -> Loaded:
        """Read the weights, hold them to the declared architecture, and put them on the device."""
        torch = import_framework("torch", framework="PyTorch", extra="torch")
        architecture = declared_architecture(member)
        path = member_file(folder, member)
        tensors = read_weights(path)
        optional = optional_tensor_shapes(architecture)
        check_shapes(path.name, tensors, tensor_shapes(architecture), optional=optional)
        device = device_for(device, usable=torch.cuda.is_available(), framework="PyTorch")
        torch.set_num_threads(thread_limit(SMALL))
        # It imports torch at its top.
        from inference.runtimes.pytorch_net import TorchNet  # noqa: PLC0415

        return TorchNet(member, architecture, tensors, device=device)
