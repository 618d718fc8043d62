"""A FinBERT, or any text classifier of three labels, from a folder of yours.

Needs `transformers` and `torch`, which the desk does not bring: they weigh more than all the rest.
They are imported when the first text is scored; nothing is ever downloaded.
"""

import asyncio
import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.analytics.sentiment import Sentiment
from tools.market.scorer import UNKNOWN, ScoringFailed, Text

NEEDED = ("transformers", "torch")
LONGEST_TOKENS = 256
_AT_ONCE = 32
_LABELS = {
    "positive": "positive", "pos": "positive", "bullish": "positive",
    "negative": "negative", "neg": "negative", "bearish": "negative",
    "neutral": "neutral", "neu": "neutral",
}  # fmt: skip
"""What models call the three; numbered labels say nothing and are refused."""


class FinBert:
    """Implements `scorer.Scorer` on a folder with a model and its tokenizer."""

    def __init__(self, folder: Path) -> None:
        """Look whether it could work; loading it is left to the first text.

        Raises:
            ScoringFailed: there is no model in the folder, or a package is missing.
        """
        if not (folder / "config.json").is_file():
            raise ScoringFailed(f"{folder} holds no model: there is no config.json in it.")
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            raise ScoringFailed(
                f"A model in a folder needs {' and '.join(missing)}: pip install {' '.join(NEEDED)}"
            )
        self.name = f"transformers:{folder.name}"
        self._folder = folder
        self._model: _Loaded | None = None
        self._one_at_a_time = asyncio.Lock()

    async def score(self, texts: Sequence[Text]) -> list[Sentiment]:
        """Return what the model says, of English; nothing is claimed about other languages.

        Raises:
            ScoringFailed: the model cannot be loaded, or has other labels.
        """
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._score, texts)

    def _score(self, texts: Sequence[Text]) -> list[Sentiment]:
        if self._model is None:
            self._model = _Loaded(self._folder)
        readable = [one.text for one in texts if one.language.lower().startswith("en")]
        found = iter(self._model.score(readable))
        return [next(found) if one.language.lower().startswith("en") else UNKNOWN for one in texts]


class _Loaded:
    """The model in memory."""

    def __init__(self, folder: Path) -> None:
        transformers: Any = importlib.import_module("transformers")
        self._torch: Any = importlib.import_module("torch")
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True
            )
            self._model = transformers.AutoModelForSequenceClassification.from_pretrained(
                str(folder), local_files_only=True, use_safetensors=True
            ).eval()
        except (OSError, ValueError) as error:
            raise ScoringFailed(f"{folder} cannot be loaded: {error}") from error
        self._places = label_places(dict(self._model.config.id2label))

    def score(self, texts: Sequence[str]) -> list[Sentiment]:
        found: list[Sentiment] = []
        for start in range(0, len(texts), _AT_ONCE):
            batch = self._tokenizer(
                list(texts[start : start + _AT_ONCE]),
                return_tensors="pt",
                padding=True,
                truncation=True,
                max_length=LONGEST_TOKENS,
            )
            with self._torch.inference_mode():
                rows = self._torch.softmax(self._model(**batch).logits, dim=-1).tolist()
            found += [
                Sentiment(
                    *(row[self._places[name]] for name in ("positive", "neutral", "negative"))
                )
                for row in rows
            ]
        return found


def label_places(id2label: dict[int, str]) -> dict[str, int]:
    """Return where each of the three labels stands among a model's outputs.

    Raises:
        ScoringFailed: the labels are not these three.
    """
    places = {
        _LABELS[label.strip().lower()]: int(place)
        for place, label in id2label.items()
        if label.strip().lower() in _LABELS
    }
    if len(places) != 3 or len(id2label) != 3:
        said = ", ".join(map(str, id2label.values()))
        raise ScoringFailed(
            f"The model's labels are {said}; they must be positive, neutral and negative."
        )
    return places
