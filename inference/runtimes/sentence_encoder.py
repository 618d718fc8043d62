"""Turn a sentence into a vector: a small transformer in ONNX with its own tokenizer.

The folder holds `model.onnx` (token states out) and `tokenizer.json`. The vector is the mean of the
states of the sentence's tokens, of length 1. One sentence at a time: the arithmetic of int8 depends
on what is beside it, and an answer must not.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inference.errors import BadModel, MissingFramework
from inference.requests import Floats

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
LONGEST_TOKENS = 128


class SentenceEncoder:
    """One encoder, ready to run. It is called by one thread at a time."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """Load it.

        Raises:
            MissingFramework: onnxruntime or tokenizers is not installed.
            BadModel: the folder does not hold an encoder.
        """
        try:
            import onnxruntime  # noqa: PLC0415  an extra
            import tokenizers  # noqa: PLC0415  an extra
        except ImportError:
            raise MissingFramework("onnxruntime with tokenizers", extra="onnx") from None
        for name in (MODEL_FILE, TOKENIZER_FILE):
            if not (folder / name).is_file():
                raise BadModel(f"there is no {name} in the encoder's folder {folder.name!r}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.size_bytes = (folder / MODEL_FILE).stat().st_size
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"]
            )
            self._tokenizer: Any = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        except Exception as error:  # both raise plain exceptions of many kinds for a bad file
            raise BadModel(f"the encoder in {folder.name!r} cannot be read: {error}") from None
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(LONGEST_TOKENS)
        self._inputs = [given.name for given in self._session.get_inputs()]

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return one vector of length 1 per text."""
        return np.stack([self._embed(text) for text in texts]).astype(np.float64)

    def _embed(self, text: str) -> Floats:
        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        known = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        states = self._session.run(None, {name: known[name] for name in self._inputs})[0]
        mean = states[0].astype(np.float64).mean(axis=0)
        return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12))
