"""Run text classifiers of transformers out of a local folder: no download, no code from the folder.

The outputs are logits, one column per label, in the order of the model's own labels. Texts of one
batch are filled up to the longest of them, which may change the last bits of a shorter one.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from inference.bundle import Member
from inference.errors import BadInput, BadModel, UnsafeArtifact
from inference.requests import Rows
from inference.runtimes.columns import text_column
from inference.runtimes.files import member_folder
from inference.runtimes.options import (
    as_columns,
    device_for,
    import_framework,
    read_options,
    thread_limit,
)
from inference.runtimes.runtime import Loaded, Outputs

WEIGHTS = "model.safetensors"
FORBIDDEN_SUFFIXES = (".py", ".pyc", ".bin", ".pt", ".pth", ".pkl", ".pickle", ".h5", ".msgpack")
_CODE_KEYS = ("auto_map", "custom_pipelines")
_MOST_CONFIG_BYTES = 4 * 2**20
Count = Annotated[int, msgspec.Meta(ge=1, le=8192)]


class HuggingFaceOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the runtime."""

    labels: tuple[str, ...] = ()
    """What the model's labels must be, in order."""
    max_tokens: Count = 256
    """Longer texts are cut there."""
    batch: Count = 32
    """Texts that are computed at once; those of like length together."""


class HuggingFaceRuntime:
    """Loads sequence classifiers."""

    def load(self, folder: Path, member: Member, *, device: str) -> Loaded:
        """Check the folder, and load tokenizer and model from it alone."""
        options = read_options(member, HuggingFaceOptions)
        path = member_folder(folder, member)
        check_folder(path)
        torch = import_framework("torch", framework="PyTorch", extra="huggingface")
        hub = import_framework("transformers", framework="transformers", extra="huggingface")
        device = device_for(device, usable=torch.cuda.is_available(), framework="PyTorch")
        torch.set_num_threads(thread_limit())
        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            tokenizer = hub.AutoTokenizer.from_pretrained(path, **local)
            model, told = hub.AutoModelForSequenceClassification.from_pretrained(
                path, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **local
            )
        except Exception as error:  # a broken folder ends in whatever its readers meet
            short = " ".join(str(error).split())[:300]
            raise BadModel(
                f"{path.name}: transformers refuses it: {type(error).__name__}: {short}"
            ) from None
        if told["missing_keys"]:
            raise BadModel(
                f"{path.name}: {WEIGHTS} has no tensor {', '.join(sorted(told['missing_keys']))}"
            )
        return TextClassifier(member, options, torch, tokenizer, model.to(device).eval())


class TextClassifier:
    """One classifier and its tokenizer."""

    def __init__(
        self, member: Member, options: HuggingFaceOptions, torch: Any, tokenizer: Any, model: Any
    ) -> None:
        self._member = member
        self._options = options
        self._torch = torch
        self._tokenizer = tokenizer
        self._model = model
        names = model.config.id2label
        labels = tuple(str(names[index]) for index in range(len(names)))
        if options.labels and labels != options.labels:
            raise BadModel(
                f"model {member.name!r} says its labels are {list(options.labels)}; the folder "
                f"has {list(labels)}"
            )
        self._size = sum(one.numel() * one.element_size() for one in model.parameters())

    @property
    def size_bytes(self) -> int:
        """The size of its weights."""
        return int(self._size)

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Return the logits of each text."""
        texts = text_column(rows, self._member)
        if not texts:
            raise BadInput("there are no rows")
        # Alike in length go together: filling up costs as much as reading.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        found: list[Any] = [None] * len(texts)
        with self._torch.inference_mode():
            for start in range(0, len(order), self._options.batch):
                picked = order[start : start + self._options.batch]
                for index, row in zip(
                    picked, self._logits([texts[i] for i in picked]), strict=True
                ):
                    found[index] = row
        return Outputs(columns=as_columns(np.stack(found), self._member, len(texts)))

    def close(self) -> None:
        """Let go of the model."""
        self._model = None
        self._tokenizer = None

    def _logits(self, texts: list[str]) -> Any:
        encoded = self._tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=self._options.max_tokens,
            return_tensors="pt",
        ).to(self._model.device)
        return self._model(**encoded).logits.cpu().numpy()


def check_folder(path: Path) -> None:
    """Refuse a folder that brings code or weights in an unsafe format.

    Raises:
        BadModel: a file that is needed is not there.
        UnsafeArtifact: something in it could run.
    """
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() in FORBIDDEN_SUFFIXES or file.is_symlink():
            raise UnsafeArtifact(f"{path.name}: {file.name} could run code; weights: {WEIGHTS}")
    for needed in ("config.json", WEIGHTS):
        if not (path / needed).is_file():
            raise BadModel(f"{path.name}: there is no {needed} in it")
    for file in sorted(path.glob("*.json")):
        if file.name.endswith("config.json"):
            _check_config(path, file)


def _check_config(path: Path, file: Path) -> None:
    if file.stat().st_size > _MOST_CONFIG_BYTES:
        raise BadModel(f"{path.name}: {file.name} is larger than {_MOST_CONFIG_BYTES} bytes")
    try:
        config = msgspec.json.decode(file.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadModel(f"{path.name}: {file.name} is no JSON: {error}") from None
    if not isinstance(config, dict):
        raise BadModel(f"{path.name}: {file.name} is no JSON object")
    for key in _CODE_KEYS:
        if key in config:
            raise UnsafeArtifact(f"{path.name}: {file.name} names code of its own ({key})")
