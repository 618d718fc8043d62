"""Look at this machine and at a model's folder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from inference.errors import BadModel, InferenceError
from inference.llm_server.command import Machine, ModelFolder

_ASK_S = 10.0
_MIB = 1 << 20


class NoServer(InferenceError):
    """There is no vLLM to run."""

    code = "no_server"


def look_at_machine() -> Machine:
    """Return what there is to run on. GPUs are NVIDIA's, as `nvidia-smi` lists them."""
    return Machine(gpus=_gpus(), cores=len(os.sched_getaffinity(0)), free_memory=_free_memory())


def _gpus() -> tuple[int, ...]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return ()
    try:
        asked = subprocess.run(
            [command, "--query-gpu=memory.total", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=_ASK_S,
            check=True,
        )
        return tuple(int(line) * _MIB for line in asked.stdout.split())
    except (OSError, subprocess.SubprocessError, ValueError):
        # The driver is not loaded, or there is no card: the command exists all the same.
        return ()


def _free_memory() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def look_at_model(name: str) -> ModelFolder:
    """Return what a model's folder says of it; of a name on a hub only the name is known.

    Raises:
        BadModel: the folder holds no model that vLLM can serve.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        looks_like_a_path = name.startswith((".", "/", "~")) or name.count("/") > 1
        if looks_like_a_path or folder.exists():
            raise BadModel(f"{name} is no folder. Give a model's folder, or its name on a hub.")
        return ModelFolder(name)
    try:
        config = json.loads((folder / "config.json").read_bytes())
        text = config.get("text_config", config)
        context = text.get("max_position_embeddings")
        return ModelFolder(
            str(folder.resolve()),
            is_local=True,
            model_type=str(config.get("model_type", "")),
            context=int(context) if context else None,
            shows_tools=_shows_tools(folder),
        )
    except (OSError, ValueError, AttributeError, TypeError) as wrong:
        raise BadModel(f"{name} holds no readable config.json ({wrong}).") from wrong


def _shows_tools(folder: Path) -> bool | None:
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        if (file := folder / name).is_file():
            text = file.read_text(encoding="utf-8", errors="replace")
            if name.endswith(".json"):
                text = str(json.loads(text).get("chat_template") or "")
            if text:
                return "tools" in text
    return None


def find_vllm(given: str | None) -> str:
    """Return the `vllm` command: the one given, else this environment's, else the path's.

    Raises:
        NoServer: there is none.
    """
    beside = Path(sys.executable).with_name("vllm")
    for command in (given,) if given else (str(beside), "vllm"):
        if found := shutil.which(command):
            return found
    raise NoServer(
        f"{given} is no command."
        if given
        else "vLLM is not installed here. It has needs of its own, so give it an environment of "
        "its own (python -m venv vllm; vllm/bin/pip install vllm) and name its command: "
        "--vllm vllm/bin/vllm"
    )
