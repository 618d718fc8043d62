"""A model in a folder: what it needs, how its labels are read, and what stands in for it here.

The two packages weigh gigabytes and no such model can be had offline, so a stand-in with their
shape is put in their place.
"""

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tools.market import finbert
from tools.market.finbert import FinBert, label_places
from tools.market.scorer import UNKNOWN, ScoringFailed, Text


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScoringFailed, match=r"there is no config\.json in it"):
        FinBert(tmp_path)


def test_missing_packages_are_named_with_the_way_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ScoringFailed, match="pip install transformers torch"):
        FinBert(tmp_path)


@pytest.mark.parametrize(
    ("labels", "places"),
    [
        (("positive", "negative", "neutral"), (0, 2, 1)),
        (("Bearish", "Neutral", "Bullish"), (2, 1, 0)),
    ],
)
def test_labels_are_found_by_name(labels: tuple[str, ...], places: tuple[int, int, int]) -> None:
    found = label_places(dict(enumerate(labels)))
    assert (found["positive"], found["neutral"], found["negative"]) == places


@pytest.mark.parametrize("labels", [("LABEL_0", "LABEL_1", "LABEL_2"), ("positive", "negative")])
def test_labels_that_say_nothing_are_refused(labels: tuple[str, ...]) -> None:
    with pytest.raises(ScoringFailed, match="must be positive, neutral and negative"):
        label_places(dict(enumerate(labels)))


class _Rows:
    def __init__(self, rows: list[list[float]]) -> None:
        self.rows = rows

    def tolist(self) -> list[list[float]]:
        return self.rows


class _Inference:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


def _softmax(logits: list[list[float]], dim: int) -> _Rows:
    assert dim == -1
    rows = [[math.exp(value) for value in row] for row in logits]
    return _Rows([[value / sum(row) for value in row] for row in rows])


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Two modules that answer as the packages do: a text with "good" is positive."""
    asked: list[Any] = []

    def tokenizer(texts: list[str], **options: Any) -> dict[str, list[str]]:
        asked.append((texts, options))
        return {"texts": texts}

    class Model:
        config = SimpleNamespace(id2label={0: "negative", 1: "neutral", 2: "positive"})

        def eval(self) -> "Model":
            return self

        def __call__(self, texts: list[str]) -> Any:
            return SimpleNamespace(logits=[[0, 0, 9] if "good" in t else [9, 0, 0] for t in texts])

    torch, transformers = ModuleType("torch"), ModuleType("transformers")
    vars(torch).update(softmax=_softmax, inference_mode=_Inference)
    made = SimpleNamespace(from_pretrained=lambda folder, local_files_only: tokenizer)
    model = SimpleNamespace(
        from_pretrained=lambda folder, local_files_only, use_safetensors: Model()
    )
    vars(transformers).update(AutoTokenizer=made, AutoModelForSequenceClassification=model)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "transformers", transformers)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    return asked


async def test_texts_go_in_by_batches_and_come_back_in_order(
    tmp_path: Path, stand_in: list[Any]
) -> None:
    (tmp_path / "config.json").write_text("{}")
    scorer = FinBert(tmp_path)
    texts = [Text("good" if n % 3 == 0 else "bad") for n in range(40)]
    texts.insert(1, Text("gut", "de"))
    found = await scorer.score(texts)
    assert found[1] == UNKNOWN
    assert [one.label for one in (*found[:1], *found[2:])] == [
        "positive" if n % 3 == 0 else "negative" for n in range(40)
    ]
    assert [len(asked[0]) for asked in stand_in] == [32, 8]
    assert stand_in[0][1]["max_length"] == finbert.LONGEST_TOKENS
    assert scorer.name == f"transformers:{tmp_path.name}"
