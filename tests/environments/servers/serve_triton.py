"""Write a model repository and become the Triton that comes inside the wheel of pytriton.

Runs in its own environment: PORT GRPC_PORT FOLDER. Its Python backend runs `triton_model.py`.
"""

# Its packages are installed nowhere but in its own environment:
# mypy: ignore-errors

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import arithmetic

HERE = Path(__file__).parent
MATRIX = [("rows", "FP64", "2")]
VALUE = [("value", "FP64", "1")]
ENDS = [("low", "FP64", "1"), ("high", "FP64", "1")]
TYPED = [(name, datatype, "1") for name, datatype in arithmetic.MIXED.items()]


def tensors(kind: str, told: list[tuple[str, str, str]]) -> str:
    """Return inputs or outputs in the words of a model's configuration."""
    made = []
    for name, datatype, size in told:
        word = "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"
        made.append(f'{{ name: "{name}" data_type: {word} dims: [ {size} ] }}')
    return f"{kind} [ {', '.join(made)} ]\n"


FULL_AT_ONE = "dynamic_batching { default_queue_policy { max_queue_size: 1 } }\n"


def write(
    repository: Path, name: str, inputs: list = MATRIX, outputs: list = VALUE, more: str = ""
) -> None:
    """Write one model of the repository."""
    place = repository / name
    versions = list(arithmetic.VERSIONS) if name == "versioned" else ["1"]
    for version in versions:
        (place / version).mkdir(parents=True)
        shutil.copy(HERE / "triton_model.py", place / version / "model.py")
        shutil.copy(HERE / "arithmetic.py", place / version)
    (place / "config.pbtxt").write_text(
        f'name: "{name}"\nbackend: "python"\nmax_batch_size: 4096\n'
        + tensors("input", inputs)
        + tensors("output", outputs)
        + more
        + "version_policy: { all { } }\ninstance_group [ { kind: KIND_CPU } ]\n"
    )


def main(port: int, grpc_port: int, folder: Path) -> None:
    """Write the models, lay the server beside the stub of this Python, and become it."""
    repository = folder / "models"
    for name in ("sum", "versioned", "slow", "broken", "unready"):
        write(repository, name)
    write(repository, "single", [("rows", "FP32", "2")], [("value", "FP32", "1")])
    write(repository, "queued", more=FULL_AT_ONE)
    write(repository, "range", outputs=ENDS)
    write(repository, "mixed", inputs=TYPED)
    write(repository, "wide", [("rows", "FP64", str(arithmetic.WIDE))])
    package = Path(next(iter(find_spec("pytriton").submodule_search_locations)))
    server = package / "tritonserver"
    backends = folder / "backends"
    shutil.copytree(server / "backends", backends)
    stub = f"{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copy(
        server / "python_backend_stubs" / stub / "triton_python_backend_stub", backends / "python"
    )
    os.environ["LD_LIBRARY_PATH"] = str(package.parent / "nvidia_pytriton.libs")
    program = server / "bin" / "tritonserver"
    os.execv(
        program,
        [
            str(program),
            f"--model-repository={repository}",
            f"--backend-directory={backends}",
            *(f"--http-port={port}", "--http-address=127.0.0.1"),
            *(f"--grpc-port={grpc_port}", "--grpc-address=127.0.0.1"),
            "--allow-metrics=false",
            "--exit-on-error=false",  # `unready` cannot be loaded
            "--strict-readiness=false",
        ],
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
