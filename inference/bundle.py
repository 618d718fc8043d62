"""What an artifact holds: a folder of weights in safe formats and one `bundle.json`, this struct.

A bundle says everything that is needed to turn a row into an answer: which columns go in, the
preprocessing that is replayed, which members run on which runtime, how their outputs are joined,
and how the joined output becomes a value with an interval. It holds data, never code.
"""

from typing import Any, Literal, TypeAlias

import msgspec

BUNDLE_FILE = "bundle.json"

FeatureKind: TypeAlias = Literal["numeric", "categorical", "text", "datetime", "binary"]
TEXTUAL: frozenset[FeatureKind] = frozenset({"text", "categorical"})
"""Kinds whose values are texts; those of the others are numbers."""
RuntimeName: TypeAlias = Literal[
    "numpy",
    "onnx",
    "pytorch",
    "scikit_learn",
    "xgboost",
    "tensorflow",
    "huggingface",
    "openai",
    "anthropic",
    "remote",
]
Combine: TypeAlias = Literal["single", "mean", "geometric_mean"]
HeadKind: TypeAlias = Literal[
    "value", "log_variance", "quantiles", "scaled_quantiles", "classes", "text", "paths"
]


class InputColumn(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One column that a row must have."""

    name: str
    kind: FeatureKind = "numeric"
    required: bool = True
    lag_bars: int = 0
    """How old the newest thing it reads is, in bars before the forecast: never negative."""


class PreprocessingStep(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The seed's: what is done to the columns, in rising `order`, with fitted parameters."""

    type: str
    parameters: dict[str, Any]
    order: int


class Member(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One network, booster, pipeline or remote model."""

    name: str
    runtime: RuntimeName
    file: str | None = None
    """Path inside the artifact (a file, or a folder for SavedModel and transformers)."""
    architecture: str = ""
    """The declared architecture, for runtimes whose weights do not hold it: "linear", "mlp", ..."""
    options: dict[str, Any] = {}
    columns: tuple[str, ...] | None = None
    """Which of the prepared columns it reads, in order; all of them by default."""
    weight: float = 1.0


class Head(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """How the joined output of the members becomes an answer."""

    kind: HeadKind
    levels: tuple[float, ...] = ()
    """Of `quantiles`, rising."""
    classes: tuple[str, ...] = ()
    """Of `classes`, in the order of the columns; probabilities if they sum to 1, else logits."""
    logits: bool = False
    interval_level: float | None = None
    """Nominal coverage of the interval that is shown, for instance 0.8."""
    residual_quantiles: tuple[tuple[float, float], ...] = ()
    """(level, quantile) of held-out residuals, from which intervals are made (split conformal). Of
    `scaled_quantiles`: of standardised outcomes, times the deviation that the members' log variance
    gives."""
    scale: float = 1.0
    """What the value is multiplied with (a smearing factor of a log model, say)."""
    calibration: dict[str, Any] = {}
    """Of probabilities: `{"type": "platt", "a", "b"}` or `{"type": "isotonic", "x", "y"}`."""


class Bundle(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Everything between a row and an answer."""

    schema_version: int = 1
    name: str
    recipe: str
    task: str
    """"variance", "return_quantiles", "volatility_regime", "direction", "sentiment", ..."""
    model_type: str
    framework: str
    inputs: tuple[InputColumn, ...]
    members: tuple[Member, ...]
    head: Head
    combine: Combine = "single"
    steps: tuple[PreprocessingStep, ...] = ()
    feature_view: str | None = None
    """Which feature view makes the inputs out of prices: "market.volatility@1"."""
    horizon_bars: int | None = None
    timeframe: str | None = None
    event: str = ""
    """The stated, scoreable event, in words for people."""
    unit: str = ""
    max_batch: int = 1024


def read_bundle(data: bytes) -> Bundle:
    """Return the bundle that `bundle.json` holds.

    Raises:
        msgspec.ValidationError: it is no bundle.
    """
    return msgspec.json.decode(data, type=Bundle)
