"""What the sentiment ensemble consists of: how each member learns, and how it is stored.

`tfidf`     words, word pairs and pieces of words, weighed by rarity, in a logistic regression
`minilm`    the vector of a small pre-trained sentence encoder, in a logistic regression
`lexicon`   the score of a word list, computed by the caller, in a logistic regression
"""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from inference.bundle import Member
from inference.errors import BadInput, MissingFramework
from inference.requests import Floats
from inference.runtimes.sentence_classifier import ARCHITECTURE, CLASSIFIER_FILE
from inference.runtimes.sentence_encoder import MODEL_FILE, TOKENIZER_FILE, SentenceEncoder
from inference.training.evaluation.label_scores import Indices

MEMBERS = ("tfidf", "minilm", "lexicon")
LEXICON_SCORE = "lexicon_score"
TEXT = "text"
_LOOSENESS = {"tfidf": 10.0, "minilm": 3.0, "lexicon": 1000.0}
"""Inverse strengths of the penalty, fixed beforehand and not tuned. One number needs none."""
_MOST_FEATURES = 20_000
"""Words and pairs, and as many pieces of words: the commonest."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """Labelled texts in the forms that the members read."""

    truth: Indices
    seen: Mapping[str, NDArray[Any]]
    """Member -> what it reads of each text."""

    def __len__(self) -> int:
        return len(self.truth)


def require_scikit_learn() -> None:
    """Check that what the members are made with is there.

    Raises:
        MissingFramework: it is not.
    """
    try:
        import sklearn  # noqa: F401, PLC0415  an extra
        import skops.io  # noqa: F401, PLC0415  an extra
    except ImportError:
        raise MissingFramework("scikit-learn with skops", extra="sklearn") from None


def corpus_of(
    texts: tuple[str, ...],
    truth: Indices,
    numbers: Mapping[str, tuple[float, ...]],
    *,
    members: Sequence[str],
    encoder: str,
) -> Corpus:
    """Return the texts as the members read them.

    Raises:
        BadInput: a column or the encoder is missing.
        MissingFramework: the encoder needs an extra.
    """
    seen: dict[str, NDArray[Any]] = {}
    if "tfidf" in members:
        seen["tfidf"] = np.array(texts, dtype=object)
    if "lexicon" in members:
        if LEXICON_SCORE not in numbers:
            raise BadInput(
                f"the member 'lexicon' reads the column {LEXICON_SCORE!r}, which these texts do "
                "not have; leave the member out, or compute it"
            )
        seen["lexicon"] = np.array(numbers[LEXICON_SCORE], dtype=np.float64)[:, None]
    if "minilm" in members:
        if not encoder:
            raise BadInput(
                "the member 'minilm' needs the option 'encoder': a folder with "
                f"{MODEL_FILE} and {TOKENIZER_FILE} (`outcry import encoder` fetches one)"
            )
        seen["minilm"] = SentenceEncoder(Path(encoder)).embed(texts)
    return Corpus(truth, seen)


def fit(member: str, corpus: Corpus, at: Indices) -> Any:
    """Return the member's pipeline, fitted to the texts at these places."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415  an extra
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  an extra
    from sklearn.pipeline import FeatureUnion, Pipeline  # noqa: PLC0415  an extra

    classifier = LogisticRegression(C=_LOOSENESS[member], max_iter=500, tol=1e-3)
    model: Any = classifier
    if member == "tfidf":
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=_MOST_FEATURES)
        pieces = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, max_features=_MOST_FEATURES
        )
        union = FeatureUnion([("words", words), ("pieces", pieces)])
        model = Pipeline([("features", union), ("classifier", classifier)])
    model.fit(corpus.seen[member][at], corpus.truth[at])
    if member == "tfidf":
        # numpy's integers would each become a file of their own in the artifact.
        for one in (words, pieces):
            one.vocabulary_ = {term: int(place) for term, place in one.vocabulary_.items()}
    return model


def probabilities(member: str, model: Any, corpus: Corpus, at: Indices) -> Floats:
    """Return what a fitted member gives each class, for the texts at these places."""
    return np.asarray(model.predict_proba(corpus.seen[member][at]), dtype=np.float64)


def stored(
    member: str, model: Any, *, weight: float, encoder: str
) -> tuple[Member, dict[str, bytes]]:
    """Return the member as the bundle names it, and its files."""
    import skops.io  # noqa: PLC0415  an extra

    if member == "minilm":
        weights = {
            "weight": np.ascontiguousarray(model.coef_, dtype=np.float64),
            "bias": np.ascontiguousarray(model.intercept_, dtype=np.float64),
        }
        folder = Path(encoder)
        return (
            Member(
                name=member,
                runtime="onnx",
                file=member,
                architecture=ARCHITECTURE,
                columns=(TEXT,),
                weight=weight,
            ),
            {
                f"{member}/{MODEL_FILE}": (folder / MODEL_FILE).read_bytes(),
                f"{member}/{TOKENIZER_FILE}": (folder / TOKENIZER_FILE).read_bytes(),
                f"{member}/{CLASSIFIER_FILE}": save(weights),
            },
        )
    file = f"{member}.skops"
    return (
        Member(
            name=member,
            runtime="scikit_learn",
            file=file,
            columns=(TEXT if member == "tfidf" else LEXICON_SCORE,),
            options={"input": "text"} if member == "tfidf" else {},
            weight=weight,
        ),
        {file: skops.io.dumps(model, compression=zipfile.ZIP_DEFLATED)},
    )
