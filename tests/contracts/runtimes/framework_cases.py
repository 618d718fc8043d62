"""Examples of the frameworks that have an environment of their own: see `tests/environments`."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from inference.requests import Floats, Rows
from inference.runtimes.tensorflow_ import TensorFlowRuntime
from tests.contracts.runtimes.cases import (
    NAMES,
    Case,
    Maker,
    headline_labels,
    headline_rows,
    market_rows,
    member,
    training,
)

ROOT = Path(__file__).resolve().parents[3]
TENSORFLOW_PYTHON = "OUTCRY_TEST_TENSORFLOW_PYTHON"
"""Names an interpreter that has TensorFlow; set by `python -m tests.environments.run`."""
_SECONDS = 300


def tensorflow_python() -> str:
    """Return the interpreter that has TensorFlow, or skip."""
    python = os.environ.get(TENSORFLOW_PYTHON)
    if not python:
        pytest.skip("run it by: python -m tests.environments.run tensorflow")
    return python


def train_tensorflow(folder: Path) -> Floats:
    """Train in the other interpreter; return what the net says about 150 rows."""
    x, y = training()
    rows = folder / "rows.npz"
    np.savez(rows, x=x, y=y, asked=market_rows(150).numbers)
    script = ROOT / "tests" / "environments" / "train_tensorflow.py"
    subprocess.run(
        [tensorflow_python(), str(script), str(folder), str(rows)],
        check=True,
        timeout=_SECONDS,
        capture_output=True,
    )
    return np.asarray(np.load(folder / "expected.npy"), dtype=np.float64)


def tensorflow_quantiles(folder: Path) -> Case:
    """A quantile net as a SavedModel."""
    python = tensorflow_python()
    said = train_tensorflow(folder)

    def expected(rows: Rows) -> Floats:
        if not np.array_equal(rows.numbers, market_rows(150).numbers):
            raise AssertionError("only these rows were asked about")
        return said

    return Case(
        member("tensorflow", "net", columns=NAMES),
        expected,
        hidden="tensorflow",
        extra="tensorflow",
        main_file="net/saved_model.pb",
        runtime=lambda: TensorFlowRuntime(python=python),
    )


def headline_classifier(folder: Path) -> Case:
    """A BERT of two narrow layers and a word-level tokenizer, trained from nothing."""
    transformers = pytest.importorskip(
        "transformers", reason="run it by: python -m tests.environments.run transformers"
    )
    torch = pytest.importorskip("torch")
    tokenizers = pytest.importorskip("tokenizers")
    rows = headline_rows(48)
    texts = list(rows.texts["headline"])
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel(unk_token="[UNK]"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    trainer = tokenizers.trainers.WordLevelTrainer(
        special_tokens=["[PAD]", "[UNK]"], min_frequency=3
    )
    words.train_from_iterator(texts, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", model_max_length=32
    )
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=words.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=40,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label={0: "negative", 1: "neutral", 2: "positive"},
        label2id={"negative": 0, "neutral": 1, "positive": 2},
    )
    model = transformers.BertForSequenceClassification(config)
    given = tokenizer(texts, padding=True, return_tensors="pt")
    labels = torch.from_numpy(headline_labels(48))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(25):
        optimizer.zero_grad()
        model(**given, labels=labels).loss.backward()
        optimizer.step()
    model.eval()
    model.save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")

    def expected(rows: Rows) -> Floats:
        encoded = tokenizer(list(rows.texts["headline"]), padding=True, return_tensors="pt")
        with torch.inference_mode():
            return np.asarray(model(**encoded).logits.numpy(), dtype=np.float64)

    return Case(
        member(
            "huggingface", "bert", columns=("headline",),
            options={"labels": ["negative", "neutral", "positive"], "max_tokens": 32},
        ),
        expected,
        rows=headline_rows,
        hidden="transformers",
        extra="huggingface",
        main_file="bert/model.safetensors",
        exact_batches=False,
    )  # fmt: skip


FRAMEWORKS: dict[str, Maker] = {
    "tensorflow": tensorflow_quantiles,
    "huggingface": headline_classifier,
}
