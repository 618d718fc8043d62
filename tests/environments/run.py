"""Build an environment for one framework and run its tests on the real thing.

    python -m tests.environments.run tensorflow
    python -m tests.environments.run transformers
    python -m tests.environments.run ray
    python -m tests.environments.run dvc
    python -m tests.environments.run feast

TensorFlow (about 1.6 GB), DVC and Feast get clean environments, which the tests talk to as the
product does: in a process of its own. transformers and Ray are laid over the environment that this
is run by.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "tensorflow": ("tensorflow-cpu>=2.20,<3", "msgspec"),
    "transformers": ("transformers>=4.56,<6", "torch>=2.8"),
    "ray": ("ray[train]==2.60.0", "torch>=2.8"),
    "dvc": ("dvc>=3.60,<4",),
    "feast": ("feast>=0.60",),
}
TESTS = {
    "tensorflow": ("-k", "tensorflow", "tests/contracts/runtimes"),
    "transformers": ("-k", "huggingface", "tests/contracts/runtimes"),
    "ray": ("tests/integration/training/test_ray.py",),
    "dvc": ("-k", "dvc]", "tests/contracts/dvc"),
    "feast": ("tests/frameworks/test_feast.py",),
}
APART = {
    "tensorflow": "OUTCRY_TEST_TENSORFLOW_PYTHON",
    "dvc": "OUTCRY_TEST_DVC_PYTHON",
    "feast": "OUTCRY_TEST_FEAST_PYTHON",
}
"""Those that run in a process of their own: the variable by which their tests find it."""


def main() -> int:
    """Return the tests' exit status."""
    parser = argparse.ArgumentParser(description="Run the tests of a framework in its environment.")
    parser.add_argument("framework", choices=list(PACKAGES))
    parser.add_argument(
        "--at", type=Path, help="a folder to keep the environment in, or that has it"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="outcry-framework-") as temporary:
        folder = arguments.at or Path(temporary)
        python = folder / "bin" / "python"
        if not python.exists():
            build(arguments.framework, folder)
        return run(arguments.framework, python)


def build(framework: str, folder: Path) -> None:
    """Make the environment."""
    venv.EnvBuilder(with_pip=True).create(folder)
    python = folder / "bin" / "python"
    if framework != "tensorflow":
        # The tests run inside: they need their packages beside those of the framework.
        paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
        (Path(paths["purelib"]) / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES[framework]], check=True)


def run(framework: str, python: Path) -> int:
    """Run the marked tests: from here, or inside where the framework runs in process."""
    where = str(python.absolute())
    environment = dict(os.environ)
    runner = where
    if framework in APART:
        environment[APART[framework]] = where
        runner = sys.executable
    if framework == "ray":
        environment["OUTCRY_RAY_PYTHON"] = where
    command = [runner, "-m", "pytest", "-m", "framework", *TESTS[framework]]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
