"""What a model is: the seed's AIModel as a value, with what it must show before it may serve.

Values only. `lifecycle` holds the rules of its states; who stores it is not known here.
"""

from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args
from uuid import UUID

import msgspec

ModelType: TypeAlias = Literal[
    "classification", "regression", "time_series", "nlp", "reinforcement", "generative"
]
Framework: TypeAlias = Literal[
    "tensorflow",
    "pytorch",
    "scikit_learn",
    "xgboost",
    "openai",
    "anthropic",
    "huggingface",
    "onnx",
    "numpy",
]
"""The seed's, and two of ours: `onnx`, and `numpy` (weights in safetensors, no framework)."""
ModelStatus: TypeAlias = Literal[
    "training", "validating", "ready", "deployed", "deprecated", "failed"
]
MODEL_TYPES: tuple[str, ...] = get_args(ModelType)
FRAMEWORKS: tuple[str, ...] = get_args(Framework)
STATUSES: tuple[str, ...] = get_args(ModelStatus)


class ModelParameters(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True
):
    """How it was built; the seed's fields."""

    input_shape: tuple[int, ...] | None = None
    output_shape: tuple[int, ...] | None = None
    layers: int | None = None
    neurons: int | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    epochs: int | None = None
    optimizer: str | None = None
    loss_function: str | None = None
    custom_params: dict[str, Any] | None = None


class ModelPerformance(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True
):
    """How it did on data it had not seen; the seed's fields. Those that do not fit are absent."""

    accuracy: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1_score: float | None = None
    mse: float | None = None
    mae: float | None = None
    rmse: float | None = None
    auc: float | None = None
    latency_ms: float | None = None
    throughput: float | None = None
    """Rows a second."""


class BaselineScore(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One naive way to answer the same question, on the same cases."""

    name: str
    """For instance "log-HAR" or "filtered historical simulation"."""
    loss: float
    """Mean loss in the card's metric."""
    skill: float
    """1 - model's loss / this baseline's loss: above 0, the model is better."""
    skill_low: float
    """Lower end of the 95 % interval of `skill`, from errors that allow for overlap (HAC)."""
    skill_high: float
    dm_t: float | None = None
    """Diebold-Mariano t of the loss difference: negative, the model is better."""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A walk-forward evaluation beside its baselines: what a card must hold before `ready`."""

    metric: str
    """The headline loss, for instance "QLIKE", "pinball loss", "Brier score"."""
    loss: float
    lower_is_better: bool = True
    n: int
    """How many cases were forecast."""
    n_refits: int
    first: datetime
    """The first and the last forecast of the evaluation, UTC."""
    last: datetime
    purge_bars: int
    """Labels that reach so far into the test span were left out of training."""
    baselines: tuple[BaselineScore, ...]
    by_year: dict[str, float] = {}
    """Year -> skill against the best baseline."""
    by_symbol: dict[str, float] = {}
    coverage: dict[str, float] = {}
    """Nominal level ("0.80") -> share of outcomes inside the interval."""
    calibration_error: float | None = None
    """Expected calibration error of probabilities, ten equal-count bins."""
    debiased_calibration_error: float | None = None
    """The same less what luck alone makes of it; 0: it may all be luck."""
    reliability: tuple[tuple[float, float, int], ...] = ()
    """Bins of a reliability diagram: mean forecast, observed rate, cases."""
    other: dict[str, float] = {}
    """Further metrics by name."""
    notes: tuple[str, ...] = ()
    """What a reader has to know: survivorship, multiple looks, what was not tried."""

    def best_baseline(self) -> BaselineScore:
        """Return the baseline that is hardest to beat.

        Raises:
            ValueError: there is none.
        """
        if not self.baselines:
            raise ValueError("an evaluation needs at least one baseline")
        return min(self.baselines, key=lambda baseline: baseline.skill)

    @property
    def has_skill(self) -> bool:
        """Whether the 95 % interval of skill lies above 0 against every baseline."""
        return self.least_sure().skill_low > 0.0

    def least_sure(self) -> BaselineScore:
        """Return the baseline that the model is least surely better than.

        Raises:
            ValueError: there is none.
        """
        if not self.baselines:
            raise ValueError("an evaluation needs at least one baseline")
        return min(self.baselines, key=lambda baseline: baseline.skill_low)


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One version of one model: the seed's AIModel and what surrounds it."""

    id: UUID
    name: str
    version: str
    type: ModelType
    framework: Framework
    architecture: str
    parameters: ModelParameters
    performance: ModelPerformance
    status: ModelStatus
    training_dataset_id: UUID | None
    """None only for models that were not trained here (imported, remote, an LLM's)."""
    validation_metrics: dict[str, Any]
    """`{"evaluation": Evaluation}` as JSON, and whatever else the training measured."""
    created_by: UUID | None
    trained_at: datetime | None
    created_at: datetime
    updated_at: datetime
    deployment_url: str | None = None
    deployed_at: datetime | None = None
    deprecated_at: datetime | None = None
    artifact: str | None = None
    """Content address: the SHA-256 of the manifest of its files. A remote model's hold a bundle."""
    recipe: str | None = None
    task: str | None = None
    """What it forecasts, as asked for by tools: "variance", "return_quantiles", ..."""
    aliases: tuple[str, ...] = ()
    knowledge_cutoff: datetime | None = None
    """Up to when it had read the world (an LLM); it is only graded on what came later."""
    failure: str | None = None
    """Why its status is `failed`, or why it is quarantined."""
    timeframe: str | None = None
    """Of the bars it forecasts, from its bundle."""
    horizon_bars: int | None = None
    training_dataset_version_id: UUID | None = None
    deployed_despite: str | None = None
    """Why it was deployed although its skill is not above 0, as an admin put it."""
    quarantined_at: datetime | None = None
    """When its bytes were found not to be those that were approved."""

    @property
    def runs_as(self) -> str | None:
        """What the engine knows it by: its artifact, and where that is asked if not here."""
        if self.artifact is None or self.deployment_url is None:
            return self.artifact
        return f"{self.artifact}@{self.deployment_url}"

    def evaluation(self) -> Evaluation | None:
        """Return the stored walk-forward evaluation, if there is one."""
        stored = self.validation_metrics.get("evaluation")
        return None if stored is None else msgspec.convert(stored, Evaluation)
