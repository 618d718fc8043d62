"""Fill in a chat template that a stranger wrote: in a process of its own, with little of anything.

A template is a program. It gets Jinja's sandbox, 100 ms, 64 KiB of output and a bounded memory; the
process that runs it is killed by the kernel when the time is over, whatever it does.
"""

import subprocess
import sys
from typing import Any

import msgspec

from inference.errors import UnsafeArtifact

MAX_TEMPLATE = 64 * 1024
"""Bytes of a template."""
MAX_OUTPUT = 64 * 1024
"""Characters that it may write."""
LIMIT_S = 0.1
_START_S = 20.0
"""How long the process may take to begin, on a machine that is busy."""
_MEMORY = 512 * 1024 * 1024
_MISSING, _TOO_LONG, _WRONG = 3, 4, 5
_PROGRAM = f"""
import json, resource, signal, sys
try:
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    import jinja2.debug
except ImportError:
    sys.exit({_MISSING})
asked = json.load(sys.stdin)
environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                            extensions=[loopcontrols])
resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY}, {_MEMORY}))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
def raise_exception(message):
    raise ValueError(message)
signal.setitimer(signal.ITIMER_REAL, {LIMIT_S})
try:
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: ""
    environment.filters["tojson"] = lambda value, **_: json.dumps(value)
    written, parts = 0, []
    for part in environment.from_string(asked["template"]).generate(**asked["values"]):
        written += len(part)
        if written > {MAX_OUTPUT}:
            sys.exit({_TOO_LONG})
        parts.append(part)
except Exception as wrong:
    signal.setitimer(signal.ITIMER_REAL, 0)
    sys.stdout.write(f"{{type(wrong).__name__}}: {{wrong}}"[:400])
    sys.exit({_WRONG})
signal.setitimer(signal.ITIMER_REAL, 0)
sys.stdout.write("".join(parts))
"""
_SAMPLE: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "How volatile is GOOG?"},
        {"role": "assistant", "content": "Less than last week."},
        {"role": "user", "content": "And IBM?"},
    ],
    "add_generation_prompt": True,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "tools": None,
}


class TemplateFailed(Exception):
    """The template itself said that the conversation does not suit it."""


def fill_in(template: str, values: dict[str, Any], *, name: str = "the chat template") -> str:
    """Return what a template writes with these values.

    Raises:
        UnsafeArtifact: it is too long, takes too long or writes too much.
        TemplateFailed: it failed by itself.
    """
    if len(template.encode()) > MAX_TEMPLATE:
        raise UnsafeArtifact(f"{name}: a chat template may have {MAX_TEMPLATE:,} bytes")
    try:
        done = subprocess.run(
            # -I: neither the environment nor the working directory adds modules.
            [sys.executable, "-I", "-c", _PROGRAM],
            input=msgspec.json.encode({"template": template, "values": values}),
            capture_output=True,
            timeout=_START_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnsafeArtifact(f"{name}: its chat template did not end") from None
    output = done.stdout.decode(errors="replace")
    if done.returncode == 0:
        return output
    if done.returncode == _MISSING:
        raise UnsafeArtifact(
            f"{name} has a chat template, which cannot be tried here: Jinja is not installed."
            " Install it with: pip install 'outcry[huggingface]'"
        )
    if done.returncode == _TOO_LONG:
        raise UnsafeArtifact(
            f"{name}: its chat template writes more than {MAX_OUTPUT:,} characters"
        )
    if done.returncode == _WRONG and not output.startswith(("MemoryError", "OSError")):
        raise TemplateFailed(output)
    raise UnsafeArtifact(
        f"{name}: its chat template did not end within {LIMIT_S * 1000:.0f} ms, or asked for too"
        " much memory"
    )


def try_template(template: str, name: str) -> None:
    """Let pass a template that ends in time on a short conversation, or says that it needs another.

    Raises:
        UnsafeArtifact: it does not, or reaches for what the sandbox keeps from it.
    """
    try:
        fill_in(template, _SAMPLE, name=name)
    except TemplateFailed as failed:
        if "SecurityError" in str(failed) or "TemplateSyntaxError" in str(failed):
            raise UnsafeArtifact(f"{name}: its chat template is refused: {failed}") from None
