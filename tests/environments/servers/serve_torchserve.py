"""Pack the small models and become TorchServe.

Runs in TorchServe's own environment: PORT GRPC_PORT FOLDER. Its workers run `torchserve_model.py`.
"""

# Its packages are installed nowhere but in its own environment:
# mypy: ignore-errors

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BINS = Path(sys.executable).parent
NAMES = ("sum", "range", "mixed", "slow", "broken", "linear")


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pack(store: Path, name: str, version: str, file: str) -> None:
    """Make an archive of a model."""
    subprocess.run(
        [
            *(str(BINS / "torch-model-archiver"), f"--model-name={file}", f"--version={version}"),
            f"--handler={HERE / 'torchserve_model.py'}",
            *(f"--extra-files={HERE / 'arithmetic.py'}", f"--export-path={store}"),
        ],
        check=True,
    )


def main(port: int, grpc_port: int, folder: Path) -> None:
    """Write the models and become TorchServe."""
    if shutil.which("java") is None:
        raise SystemExit("TorchServe needs Java, and there is none")
    store = folder / "store"
    store.mkdir()
    models: dict = {}
    files = []
    versions = {name: ["1.0"] for name in NAMES} | {"versioned": ["1.0", "2.0"], "unready": ["1.0"]}
    for name, all_of_them in versions.items():
        for version in all_of_them:
            file = f"{name}-{version}"
            pack(store, name, version, file)
            files.append(f"{name}={file}.mar")
            models.setdefault(name, {})[version] = {
                "defaultVersion": version == "1.0",
                "marName": f"{file}.mar",
                "minWorkers": 1,
                "maxWorkers": 1,
                "batchSize": 1,
                "maxBatchDelay": 1,
                "responseTimeout": 60,
            }
    config = folder / "config.properties"
    config.write_text(
        f"inference_address=http://127.0.0.1:{port}\n"
        f"management_address=http://127.0.0.1:{free_port()}\n"
        f"metrics_address=http://127.0.0.1:{free_port()}\n"
        f"grpc_inference_port={grpc_port}\ngrpc_management_port={free_port()}\n"
        f"vmargs=-Djava.io.tmpdir={folder}\nmodel_store={store}\nload_models={','.join(files)}\n"
        f"default_workers_per_model=1\ninitial_worker_port={free_port()}\n"
        f"disable_token_authorization=true\n"
        f"disable_system_metrics=true\nmodels={json.dumps(models)}\n"
    )
    os.environ["TMPDIR"] = str(folder)  # it keeps there which process it is: one a folder
    program = BINS / "torchserve"
    os.execv(
        program,
        [
            *(str(program), "--start", "--foreground", "--disable-token-auth", "--ncs"),
            *(f"--ts-config={config}", f"--model-store={store}"),
        ],
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
