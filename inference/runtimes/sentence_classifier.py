"""The architecture `sentence_classifier` of the runtime `onnx`: an encoder, then a linear layer.

The member's folder holds the encoder's files and `classifier.safetensors` with `weight`
(classes, width) and `bias` (classes). Outputs are the probabilities of the classes.
"""

from pathlib import Path

import numpy as np

from inference.bundle import Member
from inference.errors import BadModel
from inference.requests import Floats, Rows
from inference.runtimes.columns import text_column
from inference.runtimes.files import member_folder
from inference.runtimes.runtime import Outputs
from inference.runtimes.sentence_encoder import SentenceEncoder
from inference.runtimes.weights import read_weights

ARCHITECTURE = "sentence_classifier"
CLASSIFIER_FILE = "classifier.safetensors"


def load_sentence_classifier(folder: Path, member: Member) -> "SentenceClassifier":
    """Return the member, ready to run.

    Raises:
        MissingFramework: onnxruntime or tokenizers is not installed.
        BadModel: the files are not what the member says.
    """
    place = member_folder(folder, member)
    weights = read_weights(place / CLASSIFIER_FILE)
    if set(weights) != {"weight", "bias"} or weights["weight"].ndim != 2:
        raise BadModel(f"{CLASSIFIER_FILE} must hold a matrix 'weight' and 'bias'")
    if weights["bias"].shape != weights["weight"].shape[:1]:
        raise BadModel(f"{CLASSIFIER_FILE}: 'bias' must have one number for each row of 'weight'")
    encoder = SentenceEncoder(place)
    width = encoder.embed(["a"]).shape[1]
    if weights["weight"].shape[1] != width:
        raise BadModel(
            f"{CLASSIFIER_FILE}: 'weight' reads {weights['weight'].shape[1]} numbers; the encoder "
            f"gives {width}"
        )
    return SentenceClassifier(member, encoder, weights["weight"], weights["bias"])


class SentenceClassifier:
    """Implements `runtime.Loaded`."""

    def __init__(
        self, member: Member, encoder: SentenceEncoder, weight: Floats, bias: Floats
    ) -> None:
        self._member = member
        self._encoder = encoder
        self._weight = weight.astype(np.float64)
        self._bias = bias.astype(np.float64)

    @property
    def size_bytes(self) -> int:
        """The encoder's file: the linear layer is nothing beside it."""
        return self._encoder.size_bytes

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Return the probabilities of the classes, a row a text."""
        texts = text_column(rows, self._member)
        return Outputs(
            columns=np.stack([self._probabilities(vector) for vector in self._encoder.embed(texts)])
        )

    def close(self) -> None:
        """Nothing outlives the object."""

    def _probabilities(self, vector: Floats) -> Floats:
        logits = self._weight @ vector + self._bias
        raised = np.exp(logits - logits.max())
        return np.asarray(raised / raised.sum())
