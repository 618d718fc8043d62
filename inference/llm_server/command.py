"""The command line and environment of a vLLM server for one model on one machine.

Pure: it reads nothing and starts nothing, so that what would be run can be shown and tested.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from inference.errors import BadInput
from inference.llm_server.families import Family, family_of

GIB = 1 << 30
_USUAL_PARSER = "hermes"
_CPU_CONTEXT = 8_192
"""Tokens; a longer context on a CPU takes minutes to read."""


@dataclass(frozen=True)
class Machine:
    """What there is to run on."""

    gpus: tuple[int, ...] = ()
    """Memory of each GPU, bytes."""
    cores: int = 1
    free_memory: int = 4 * GIB
    """Of the host, bytes."""


@dataclass(frozen=True)
class ModelFolder:
    """What is known of the model without loading it."""

    name: str
    """A local folder, or a name on a hub that vLLM fetches."""
    is_local: bool = False
    model_type: str = ""
    context: int | None = None
    """Tokens the model can read, from its configuration."""
    shows_tools: bool | None = None
    """Whether its chat template puts tools before the model; None: not known."""


@dataclass(frozen=True)
class ServeWishes:
    """What the person who starts it has chosen."""

    host: str = "127.0.0.1"
    port: int = 8001
    served_name: str | None = None
    context: int | None = None
    embeddings: bool = False
    gpus: int | None = None
    """How many to spread the model over; None: one, unless it does not fit."""
    has_key: bool = False
    """`VLLM_API_KEY` is set; vLLM reads it from there."""
    extra: tuple[str, ...] = ()
    """Handed to vLLM as they are; they come last and so win."""


@dataclass(frozen=True)
class Command:
    """What is to be run."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    served_name: str
    family: Family | None
    notes: tuple[str, ...] = field(default=())
    """What a person should know before it starts."""


def build(vllm: str, model: ModelFolder, machine: Machine, wishes: ServeWishes) -> Command:
    """Return how to serve a model here.

    Raises:
        BadInput: it cannot be served as wished; says what is possible.
    """
    if not _is_loopback(wishes.host) and not wishes.has_key:
        raise BadInput(
            f"{wishes.host} can be reached from other machines, and without a key anybody could "
            "use the model. Set VLLM_API_KEY (the desk reads it too), or serve on 127.0.0.1."
        )
    on_gpu = bool(machine.gpus)
    if wishes.gpus is not None and wishes.gpus > len(machine.gpus):
        raise BadInput(f"--gpus {wishes.gpus}: this machine has {len(machine.gpus)}.")
    family = family_of(model.name, model.model_type)
    served = wishes.served_name or model.name.rstrip("/").rpartition("/")[2]
    notes: list[str] = []
    argv = [vllm, "serve", model.name, "--served-model-name", served]
    argv += ["--host", wishes.host, "--port", str(wishes.port)]
    argv += ["--max-model-len", _context(model, wishes, on_gpu=on_gpu)]
    if wishes.embeddings:
        argv += ["--runner", "pooling", "--convert", "embed"]
    else:
        argv += _parsers(family, model, notes)
    environment = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if model.is_local:
        environment |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if on_gpu:
        if (count := wishes.gpus or 1) > 1:
            argv += ["--tensor-parallel-size", str(count)]
    else:
        cache_gib = max(1, min(8, machine.free_memory // (4 * GIB)))
        environment |= {"VLLM_CPU_KVCACHE_SPACE": str(cache_gib)}
        argv += ["--dtype", "bfloat16"]
        notes.append(
            f"No GPU was found: it runs on {machine.cores} cores, which suits models below a "
            "billion parameters, to try things."
        )
    return Command((*argv, *wishes.extra), environment, served, family, tuple(notes))


def _parsers(family: Family | None, model: ModelFolder, notes: list[str]) -> list[str]:
    """Return the flags for tool calls; without a parser vLLM refuses whoever offers tools."""
    if model.shows_tools is False:
        notes.append(
            "The chat template of this model leaves tools out, so agents that think with it will "
            "not call any. Its maker may have a template that does: -- --chat-template FILE"
        )
    elif family is None:
        notes.append(
            f"The model's family is not known: its tool calls are read as {_USUAL_PARSER} writes "
            "them. If agents never call a tool, name another parser: -- --tool-call-parser NAME"
        )
    argv = ["--enable-auto-tool-choice", "--tool-call-parser"]
    argv.append(_USUAL_PARSER if family is None else family.tools)
    if family is not None and family.reasoning is not None:
        argv += ["--reasoning-parser", family.reasoning]
    return argv


def _context(model: ModelFolder, wishes: ServeWishes, *, on_gpu: bool) -> str:
    if wishes.context is not None:
        if model.context is not None and wishes.context > model.context:
            raise BadInput(
                f"--context {wishes.context:,}: this model reads {model.context:,} tokens at most."
            )
        return str(wishes.context)
    if on_gpu:
        return "auto"
    return str(min(model.context or _CPU_CONTEXT, _CPU_CONTEXT))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
