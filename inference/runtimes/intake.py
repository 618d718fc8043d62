"""Do a bundle's weights have the shapes that it declares? Asked before a model is let in.

Only for members whose architecture is declared and whose weights are safetensors: those can be
checked with numpy alone. Other frameworks say so themselves when they load.
"""

from pathlib import Path

from inference.bundle import Bundle
from inference.runtimes.architectures import (
    ARCHITECTURES,
    declared_architecture,
    optional_tensor_shapes,
    tensor_shapes,
)
from inference.runtimes.files import member_file
from inference.runtimes.numpy_ import NumpyRuntime
from inference.runtimes.weights import check_shapes, read_weights


def check_members(folder: Path, bundle: Bundle) -> None:
    """Let pass a bundle whose members have the tensors that their architectures need.

    Raises:
        BadModel: names the member and the tensor.
    """
    for member in bundle.members:
        if member.runtime == "numpy":
            NumpyRuntime().load(folder, member, device="cpu").close()
        elif member.runtime == "pytorch" and member.architecture in ARCHITECTURES:
            architecture = declared_architecture(member)
            path = member_file(folder, member)
            optional = optional_tensor_shapes(architecture)
            shapes = tensor_shapes(architecture)
            check_shapes(path.name, read_weights(path), shapes, optional=optional)
