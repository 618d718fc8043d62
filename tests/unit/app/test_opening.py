"""The database is started before anything that takes long is read from disk."""

import subprocess
import sys

SLOW = (
    "aiohttp",
    "alembic",
    "duckdb",
    "langchain_core",
    "litestar",
    "numpy",
    "sqlalchemy",
    "talib",
)


def test_what_comes_first_imports_nothing_that_takes_long() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, app.cli, app.opening\n"
            f"print([name for name in {SLOW} if name in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "[]\n"


def test_the_doors_import_no_client_of_what_few_have() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, app.main\n"
            "few = ('aiokafka', 'grpc', 'langchain_core', 'pandas', 'sqlalchemy', 'torch')\n"
            "print([name for name in few if name in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "[]\n"
