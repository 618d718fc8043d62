"""Write the small models and become pythie-serving, which speaks TensorFlow Serving's gRPC.

Runs in its own environment: PORT GRPC_PORT FOLDER. It has no HTTP.
"""

# Its packages are installed nowhere but in its own environment:
# mypy: ignore-errors

import json
import os
import sys
import time
from pathlib import Path

import arithmetic
import cloudpickle
import numpy as np
from sklearn.linear_model import LinearRegression

MOST_CALLS = 4
"""More at once are refused."""


class Words:
    """`words`: what each word stands for."""

    def __init__(self) -> None:
        self.table = {b"rise": 3, "größer".encode(): -4, b"": 5}

    def predict(self, samples):
        """Look every row up."""
        return np.array([self.table[word] for word in samples[:, 0]])


class Slow:
    """`slow`: the sum of each row, after as many seconds as the first number says."""

    def predict(self, samples):
        """Wait and add."""
        time.sleep(float(samples[0, 0]))
        return samples.astype(float).sum(axis=1)


def write(folder: Path, name: str, columns: list, model: object) -> str:
    """Write one model, and return what the configuration says of it."""
    place = folder / name
    place.mkdir()
    (place / f"{name}.pickled").write_bytes(cloudpickle.dumps(model))
    (place / "metadata.json").write_text(json.dumps({"feature_names": columns}))
    return f'config {{ name: "{name}" base_path: "{place}" model_platform: "sklearn" }}\n'


def main(grpc_port: int, folder: Path) -> None:
    """Write the models and become pythie-serving."""
    linear = LinearRegression().fit(*arithmetic.linear_data())
    told = write(folder, "linear", list(arithmetic.COLUMNS), linear)
    told += write(folder, "words", ["word"], Words())
    told += write(folder, "slow", list(arithmetic.COLUMNS), Slow())
    config = folder / "models.config"
    config.write_text(f"model_config_list {{\n{told}}}\n")
    program = Path(sys.executable).parent / "pythie-serving"
    os.execv(
        program,
        [
            str(program),
            str(config),
            f"--port={grpc_port}",
            f"--maximum-concurrent-rpcs={MOST_CALLS}",
        ],
    )


if __name__ == "__main__":
    main(int(sys.argv[2]), Path(sys.argv[3]))
