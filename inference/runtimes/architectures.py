"""The declared architectures: what a bundle may say about weights, and which tensors follow.

Shared by the runtimes `numpy` and `pytorch`, which read the same files and give the same numbers.
Data only: nothing here computes.

`linear`                y = weight x + bias
`mlp`                   linear layers with an activation between them
`monotone_quantiles`    an mlp whose outputs are made to rise: the output at `anchor` is taken as it
                        is, the next ones add softplus(output), those before it subtract it
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec

from inference.bundle import Member
from inference.errors import BadModel

Activation: TypeAlias = Literal["relu", "tanh", "gelu"]
"""`gelu` is the tanh approximation (torch's `gelu(approximate="tanh")`)."""
Size: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]


class Linear(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `linear`."""

    inputs: Size
    outputs: Size = 1


class Mlp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `mlp`."""

    inputs: Size
    hidden: tuple[Size, ...]
    outputs: Size = 1
    activation: Activation = "relu"


class MonotoneQuantiles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `monotone_quantiles`."""

    inputs: Size
    hidden: tuple[Size, ...]
    outputs: Size
    """How many quantiles."""
    activation: Activation = "relu"
    anchor: Annotated[int, msgspec.Meta(ge=0)] = 0
    """The quantile that the others are built from, for instance the median's index."""


Architecture: TypeAlias = Linear | Mlp | MonotoneQuantiles
ARCHITECTURES: dict[str, type[Architecture]] = {
    "linear": Linear,
    "mlp": Mlp,
    "monotone_quantiles": MonotoneQuantiles,
}
MEANS = "input_mean"
"""A tensor that `linear` may have: the mean of each column in training. Contributions are told
against it; it does not change the output."""


def declared_architecture(member: Member) -> Architecture:
    """Return what the member declares.

    Raises:
        BadModel: it is none that is known, or its options do not fit.
    """
    kind = ARCHITECTURES.get(member.architecture)
    if kind is None:
        raise BadModel(
            f"model {member.name!r} declares the architecture {member.architecture!r}; known are "
            f"{', '.join(ARCHITECTURES)}"
        )
    try:
        found = msgspec.convert(member.options, kind)
    except msgspec.ValidationError as error:
        raise BadModel(
            f"model {member.name!r}: options of {member.architecture!r}: {error}"
        ) from None
    if isinstance(found, MonotoneQuantiles) and found.anchor >= found.outputs:
        raise BadModel(
            f"model {member.name!r}: anchor {found.anchor} is none of {found.outputs} quantiles"
        )
    if member.columns is not None and len(member.columns) != found.inputs:
        raise BadModel(
            f"model {member.name!r} declares {found.inputs} inputs and names "
            f"{len(member.columns)} columns"
        )
    return found


def widths(architecture: Architecture) -> tuple[int, ...]:
    """Return the width of each layer, from the inputs to the outputs."""
    hidden = () if isinstance(architecture, Linear) else architecture.hidden
    return (architecture.inputs, *hidden, architecture.outputs)


def layer_names(architecture: Architecture) -> tuple[str, ...]:
    """Return what the layers are called in the file: `""` for `linear`, else `layers.0.` ..."""
    if isinstance(architecture, Linear):
        return ("",)
    return tuple(f"layers.{index}." for index in range(len(architecture.hidden) + 1))


def tensor_shapes(architecture: Architecture) -> Mapping[str, tuple[int, ...]]:
    """Return the tensors that the architecture must have, with their shapes (torch's order)."""
    sizes = widths(architecture)
    shapes: dict[str, tuple[int, ...]] = {}
    for index, prefix in enumerate(layer_names(architecture)):
        shapes[f"{prefix}weight"] = (sizes[index + 1], sizes[index])
        shapes[f"{prefix}bias"] = (sizes[index + 1],)
    return shapes


def optional_tensor_shapes(architecture: Architecture) -> Mapping[str, tuple[int, ...]]:
    """Return the tensors that it may have."""
    return {MEANS: (architecture.inputs,)} if isinstance(architecture, Linear) else {}
