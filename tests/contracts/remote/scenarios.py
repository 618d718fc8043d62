"""What is asked of each real server, and what the desk makes of its answers.

`tests/frameworks/test_remote_servers.py` asks the servers themselves and records what they say in
`wire/`; `test_recorded_servers.py` asks the records. Both hold the runtime to the same outcomes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from inference.bundle import Member
from inference.errors import (
    BadInput,
    BadModel,
    InferenceError,
    ModelFailed,
    NotReady,
    WorkerLost,
)
from inference.requests import Rows
from tests.environments.servers import arithmetic

MATRIX = np.array([[1.0, 2.0], [3.0, 4.5], [-0.1, 0.7]])
THREE = np.array([[1.0, 2.0, 3.0], [3.0, 4.5, 6.0]])
WORDS = ("rise", "größer", "")
NUMBERS = np.array([[7.0, 1.0, 0.5, 0.1], [-2.0, 0.0, 0.25, 1e-9], [0.0, 1.0, -4.0, 1e12]])
LOW, HIGH = arithmetic.ends(MATRIX)
MIXED = arithmetic.mixed(NUMBERS[:, 0], NUMBERS[:, 1], NUMBERS[:, 2], NUMBERS[:, 3], list(WORDS))


@dataclass(frozen=True)
class Scenario:
    """One question to a deployment."""

    name: str
    """A sentence, which the records are filed under."""
    protocol: str
    """Its scheme, with "+grpc" where it is not asked over HTTP."""
    model: str
    """As it stands in `deploymentUrl`: a version may follow."""
    gives: Any = None
    """The outputs, one row a row; None where it raises."""
    raises: tuple[type[InferenceError], str] | None = None
    """The error, and what its words must match."""
    rows: Rows = field(default_factory=lambda: Rows(arithmetic.COLUMNS, MATRIX))
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def member(self) -> Member:
        """The member of the bundle that asks for it."""
        columns = (*self.rows.names, *self.rows.texts)
        return Member(name="away", runtime="remote", columns=columns, options=dict(self.options))


def matrix(values: Any = MATRIX) -> Rows:
    """Return rows of numbers."""
    columns = (*arithmetic.COLUMNS, "z")[: values.shape[1]]
    return Rows(columns, values)


def typed(*, without: str = "") -> Rows:
    """Return rows of numbers and words, for the model that takes a tensor a column."""
    names = [name for name in arithmetic.MIXED if name not in ("word", without)]
    at = [index for index, name in enumerate(arithmetic.MIXED) if name in names]
    words: dict[str, tuple[str, ...]] = {} if without == "word" else {"word": WORDS}
    return Rows(tuple(names), NUMBERS[:, at], texts=words)


def column(values: Any) -> Any:
    """Return values as a matrix of one column."""
    return np.reshape(values, (-1, 1))


def open_inference(scheme: str = "oip") -> tuple[Scenario, ...]:
    """Return what every server of the Open Inference Protocol is asked."""
    both = np.column_stack([LOW, HIGH])
    return (
        Scenario("a matrix goes out as one tensor", scheme, "sum", column(MATRIX.sum(1))),
        Scenario(
            "a column of each type goes out as a tensor of its own", scheme, "mixed",
            column(MIXED), rows=typed(),
        ),
        Scenario(
            "one of two outputs is read", scheme, "range", column(HIGH),
            options={"outputs": ("high",)},
        ),
        Scenario(
            "two outputs stand side by side as they were chosen", scheme, "range", both[:, ::-1],
            options={"outputs": ("high", "low")},
        ),
        Scenario(
            "of two outputs one must be chosen", scheme, "range",
            raises=(BadModel, r"\['high', 'low'\].*`outputs` must say which"),
        ),
        Scenario(
            "an output that is not there is told before rows are sent", scheme, "range",
            raises=(BadModel, "no output 'mean'; it has"), options={"outputs": ("mean",)},
        ),
        Scenario(
            "an input that is not there is told before rows are sent", scheme, "sum",
            raises=(BadModel, "no input 'table'; it has"), options={"input": "table"},
        ),
        Scenario(
            "other columns than it takes are told before rows are sent", scheme, "sum",
            raises=(BadModel, "'rows' has 2 columns; the bundle gives 3"), rows=matrix(THREE),
        ),
        Scenario(
            "a column that it needs and does not get is told before rows are sent", scheme, "mixed",
            raises=(BadModel, "the server needs 'word'"), rows=typed(without="word"),
        ),
        Scenario(
            "a model that it does not know", scheme, "nothing",
            raises=(WorkerLost, r"no model 'nothing' on its server \(404\): .*nothing"),
        ),
        Scenario(
            "a model that fails", scheme, "broken",
            raises=(ModelFailed, r"the server failed \(500\)"),
        ),
    )  # fmt: skip


NOT_READY = Scenario(
    "a model that is not ready", "oip", "unready", raises=(NotReady, "'unready' is not ready")
)
VERSIONS = (
    Scenario("the first version", "oip", "versioned/versions/1", column(MATRIX.sum(1))),
    Scenario("the second version", "oip", "versioned/versions/2", column(10.0 * MATRIX.sum(1))),
    Scenario(
        "the last version where none is named", "oip", "versioned", column(10.0 * MATRIX.sum(1))
    ),
    Scenario(
        "a version that it does not know", "oip", "versioned/versions/7",
        raises=(WorkerLost, r"no model 'versioned' on its server \(404\): .*version 7"),
    ),
)  # fmt: skip

MLSERVER = (
    *open_inference(),
    NOT_READY,
    *VERSIONS,
    Scenario(
        "a model of scikit-learn, of which it tells no signature", "oip", "linear",
        column(MATRIX @ [2.0, -3.0] + 0.5),
    ),
    Scenario(
        "other columns than scikit-learn takes, which only the model itself sees", "oip", "linear",
        raises=(ModelFailed, r"the server failed \(500\)"), rows=matrix(THREE),
    ),
    Scenario(
        "an output that its runtime does not have", "oip", "linear",
        raises=(BadInput, "refuses the rows .400.: SKLearnModel only supports"),
        options={"outputs": ("predict_quantile",)},
    ),
)  # fmt: skip

TRITON = (
    *open_inference(),
    NOT_READY,
    *VERSIONS,
    Scenario(
        "a model of single precision", "oip", "single",
        column(MATRIX.astype(np.float32).sum(1)),
    ),
    Scenario(
        "a datatype that the bundle insists on and the model does not take", "oip", "sum",
        raises=(BadInput, "refuses the rows .400.: .*data-type is 'FP32'"),
        options={"datatype": "FP32"},
    ),
)  # fmt: skip

KSERVE = (
    *open_inference(),
    NOT_READY,
    Scenario(
        "a version, of which it knows none", "oip", "sum/versions/1",
        raises=(BadModel, "501.: Model versioning not supported"),
    ),
    Scenario("v1: a matrix", "tfs", "sum", column(MATRIX.sum(1))),
    Scenario(
        "v1: rows as objects", "tfs", "mixed", column(MIXED), rows=typed(),
        options={"layout": "columns"},
    ),
    Scenario(
        "v1: one of two outputs", "tfs", "range", column(LOW), options={"outputs": ("low",)}
    ),
    Scenario(
        "v1: of two outputs one must be chosen", "tfs", "range",
        raises=(BadModel, "`outputs` must say which"),
    ),
    Scenario(
        "v1: other columns than it takes, of which it tells nothing before", "tfs", "sum",
        raises=(BadInput, r"refuses the rows \(400\): rows has the shape \[2, 3\]"),
        rows=matrix(THREE),
    ),
    Scenario(
        "v1: a model that it does not know", "tfs", "nothing",
        raises=(WorkerLost, r"\(404\): Model with name nothing does not exist"),
    ),
    Scenario(
        "v1: a model that is not ready", "tfs", "unready",
        raises=(NotReady, r"\(503\): Model with name unready is not ready"),
    ),
    Scenario(
        "v1: a model that fails", "tfs", "broken",
        raises=(ModelFailed, r"the server failed \(500\): Unable : this model cannot add"),
    ),
    Scenario(
        "v1: a version, of which it knows none", "tfs", "sum/versions/1",
        raises=(WorkerLost, r"\(404\): Not Found"),
    ),
)  # fmt: skip

TORCHSERVE = (
    Scenario("a matrix", "torchserve", "sum", column(MATRIX.sum(1))),
    Scenario(
        "a network of PyTorch", "torchserve", "linear", column(MATRIX @ [2.0, -3.0] + 0.5)
    ),
    Scenario(
        "rows as objects", "torchserve", "mixed", column(MIXED), rows=typed(),
        options={"layout": "columns"},
    ),
    Scenario(
        "one of two outputs", "torchserve", "range", column(LOW), options={"outputs": ("low",)}
    ),
    Scenario(
        "of two outputs one must be chosen", "torchserve", "range",
        raises=(BadModel, "`outputs` must say which"),
    ),
    Scenario("the first version", "torchserve", "versioned/1.0", column(MATRIX.sum(1))),
    Scenario("the second version", "torchserve", "versioned/2.0", column(10.0 * MATRIX.sum(1))),
    Scenario("the version by default", "torchserve", "versioned", column(MATRIX.sum(1))),
    Scenario(
        "a version that it does not know", "torchserve", "versioned/7.0",
        raises=(WorkerLost, r"\(404\): Model version: 7.0 does not exist"),
    ),
    Scenario(
        "a model that it does not know", "torchserve", "nothing",
        raises=(WorkerLost, r"\(404\): Model not found: nothing"),
    ),
    Scenario(
        "other columns than the network takes, of which it tells nothing before", "torchserve",
        "linear", raises=(ModelFailed, r"\(503\): Prediction failed"), rows=matrix(THREE),
    ),
    Scenario(
        "a model that fails", "torchserve", "broken",
        raises=(ModelFailed, r"\(503\): Prediction failed"),
    ),
    Scenario(
        "a model whose worker dies", "torchserve", "unready",
        raises=(WorkerLost, "lost the worker of the model"),
    ),
)  # fmt: skip

RAYSERVE = (
    *open_inference("ray"),
    Scenario("without its own health check", "oip", "sum", column(MATRIX.sum(1))),
    Scenario(
        "an application under a path of its own", "ray", "few/v2/models/sum", column(MATRIX.sum(1))
    ),
    Scenario(
        "a path that its deployment does not have",
        "ray",
        "sum/versions/1",
        raises=(WorkerLost, r"\(404\): Not Found"),
    ),
)

STATUS_AS_CODE = {
    r"\(404\)": r"\(NOT_FOUND\)",
    r"\(500\)": r"\(INTERNAL\)",
    ".400.": r"\(INVALID_ARGUMENT\)",
    "501.: Model versioning not supported": "does not say which version answered",
}


def over_grpc(scenarios: tuple[Scenario, ...]) -> tuple[Scenario, ...]:
    """Return the questions of the Open Inference Protocol over gRPC: with the same outcomes."""
    made = []
    for one in scenarios:
        if one.protocol != "oip":
            continue
        raises = one.raises
        if raises is not None:
            words = raises[1]
            for status, code in STATUS_AS_CODE.items():
                words = words.replace(status, code)
            raises = (raises[0], words)
        made.append(replace(one, name=f"gRPC: {one.name}", protocol="oip+grpc", raises=raises))
    return tuple(made)


COLUMNS = {"layout": "columns"}
PYTHIE = (
    Scenario(
        "columns go out as tensors of one column, as their names say", "tfs+grpc", "linear",
        column(MATRIX @ [2.0, -3.0] + 0.5).astype(np.float32), options=COLUMNS,
    ),
    Scenario(
        "an output by its name", "tfs+grpc", "linear",
        column(MATRIX @ [2.0, -3.0] + 0.5).astype(np.float32),
        options={**COLUMNS, "outputs": ("predictions",)},
    ),
    Scenario(
        "words and whole numbers, looked up", "tfs+grpc", "words", column([3, -4, 5]),
        rows=Rows((), np.empty((3, 0)), {"word": WORDS}), options=COLUMNS,
    ),
    Scenario(
        "an output that is not there", "tfs+grpc", "linear",
        raises=(ModelFailed, "no output 'value'; it gave .'predictions'"),
        options={**COLUMNS, "outputs": ("value",)},
    ),
    Scenario(
        "other columns than it takes, of which it tells nothing before", "tfs+grpc", "linear",
        raises=(ModelFailed, r"failed \(UNKNOWN\): .*Features names mismatch"),
        rows=matrix(THREE), options=COLUMNS,
    ),
    Scenario(
        "a model that it does not know", "tfs+grpc", "nothing",
        raises=(ModelFailed, r"failed \(UNKNOWN\): .*Unknown model: nothing"), options=COLUMNS,
    ),
    Scenario(
        "another protocol than it speaks", "oip+grpc", "linear",
        raises=(BadModel, r"does not speak the protocol of deploymentUrl \(UNIMPLEMENTED\)"),
    ),
)  # fmt: skip

SCENARIOS: Mapping[str, tuple[Scenario, ...]] = {
    "mlserver": (*MLSERVER, *over_grpc(MLSERVER)),
    "kserve": (*KSERVE, *over_grpc(KSERVE)),
    "triton": (*TRITON, *over_grpc(TRITON)),
    "torchserve": TORCHSERVE,
    "rayserve": RAYSERVE,
    "pythie": PYTHIE,
}
EACH = [(product, one) for product, all_of_them in SCENARIOS.items() for one in all_of_them]
IDS = [f"{product}: {one.name}" for product, one in EACH]
