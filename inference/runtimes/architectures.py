"""The declared architectures: what a bundle may say about weights, and which tensors follow.

Shared by the runtimes `numpy` and `pytorch`, which read the same files and give the same numbers.
Data only: nothing here computes.

`linear`                y = weight x + bias
`mlp`                   linear layers with an activation between them
`monotone_quantiles`    an mlp whose outputs are made to rise: the output at `anchor` is taken as it
                        is, the next ones add softplus(output), those before it subtract it
`scaled_quantiles`      one linear output, the log of a variance; the outputs are fixed scores times
                        the deviation that it gives
`gru_quantiles`         a GRU over a window of bars (the columns, oldest bar first, a bar's channels
                        side by side), then one linear layer whose outputs are made to rise
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

import msgspec

from inference.bundle import Member
from inference.errors import BadModel

Activation: TypeAlias = Literal["relu", "tanh", "gelu"]
"""`gelu` is the tanh approximation (torch's `gelu(approximate="tanh")`)."""
Size: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]


class _Declared(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    inputs: Size
    outputs: Size = 1
    """With quantiles: how many of them."""
    block: Size | None = None
    """Rows that are computed at once; by default what suits the runtime and the device."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """On a card: bfloat16 is used if the card has it and the outputs stay close to float32's."""


class Linear(_Declared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `linear`."""


class Mlp(_Declared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `mlp`."""

    hidden: tuple[Size, ...]
    activation: Activation = "relu"


class MonotoneQuantiles(_Declared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `monotone_quantiles`."""

    hidden: tuple[Size, ...]
    activation: Activation = "relu"
    anchor: Annotated[int, msgspec.Meta(ge=0)] = 0
    """The quantile that the others are built from, for instance the median's index."""


class ScaledQuantiles(_Declared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `scaled_quantiles`."""


class GruQuantiles(_Declared, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of `gru_quantiles`."""

    window: Size
    """Bars; `inputs` is window times channels."""
    channels: Size
    units: Size
    anchor: Annotated[int, msgspec.Meta(ge=0)] = 0


Architecture: TypeAlias = Linear | Mlp | MonotoneQuantiles | ScaledQuantiles | GruQuantiles
ARCHITECTURES: dict[str, type[Architecture]] = {
    "linear": Linear,
    "mlp": Mlp,
    "monotone_quantiles": MonotoneQuantiles,
    "scaled_quantiles": ScaledQuantiles,
    "gru_quantiles": GruQuantiles,
}
SCORES = "scores"
"""A tensor of `scaled_quantiles`: quantiles of standardised outcomes."""
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
    if isinstance(found, MonotoneQuantiles | GruQuantiles) and found.anchor >= found.outputs:
        raise BadModel(
            f"model {member.name!r}: anchor {found.anchor} is none of {found.outputs} quantiles"
        )
    if isinstance(found, GruQuantiles) and found.inputs != found.window * found.channels:
        raise BadModel(
            f"model {member.name!r}: {found.inputs} inputs are not {found.window} bars of "
            f"{found.channels} channels"
        )
    if member.columns is not None and len(member.columns) != found.inputs:
        raise BadModel(
            f"model {member.name!r} declares {found.inputs} inputs and names "
            f"{len(member.columns)} columns"
        )
    return found


def layer_names(architecture: Architecture) -> tuple[str, ...]:
    """Return what the linear layers are called in the file: `""` where one is all, else
    `layers.0.` and so on.
    """
    if isinstance(architecture, Linear | ScaledQuantiles):
        return ("",)
    if isinstance(architecture, GruQuantiles):
        return ("layers.0.",)
    return tuple(f"layers.{index}." for index in range(len(architecture.hidden) + 1))


def tensor_shapes(architecture: Architecture) -> Mapping[str, tuple[int, ...]]:
    """Return the tensors that the architecture must have, with their shapes (torch's order)."""
    shapes: dict[str, tuple[int, ...]] = {}
    sizes = _widths(architecture)
    if isinstance(architecture, GruQuantiles):
        gates = 3 * architecture.units
        shapes["gru.weight_ih_l0"] = (gates, architecture.channels)
        shapes["gru.weight_hh_l0"] = (gates, architecture.units)
        shapes["gru.bias_ih_l0"] = (gates,)
        shapes["gru.bias_hh_l0"] = (gates,)
    for index, prefix in enumerate(layer_names(architecture)):
        shapes[f"{prefix}weight"] = (sizes[index + 1], sizes[index])
        shapes[f"{prefix}bias"] = (sizes[index + 1],)
    if isinstance(architecture, ScaledQuantiles):
        shapes[SCORES] = (architecture.outputs,)
    return shapes


def optional_tensor_shapes(architecture: Architecture) -> Mapping[str, tuple[int, ...]]:
    """Return the tensors that it may have."""
    return {MEANS: (architecture.inputs,)} if isinstance(architecture, Linear) else {}


def _widths(architecture: Architecture) -> tuple[int, ...]:
    """Return the width of each linear layer, from its inputs to the outputs."""
    match architecture:
        case Linear():
            return (architecture.inputs, architecture.outputs)
        case ScaledQuantiles():
            return (architecture.inputs, 1)
        case GruQuantiles():
            return (architecture.units, architecture.outputs)
        case _:
            return (architecture.inputs, *architecture.hidden, architecture.outputs)
