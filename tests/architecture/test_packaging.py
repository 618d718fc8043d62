"""The five generic package names resolve to this checkout, and importing a word stays cheap."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "agents", "tools", "memory", "inference")


@pytest.mark.parametrize("package", PACKAGES)
def test_package_resolves_inside_the_checkout_from_anywhere(package: str, tmp_path: Path) -> None:
    code = f"import {package}; print({package}.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_relative_to(ROOT)


@pytest.mark.parametrize("package", PACKAGES)
def test_package_init_holds_only_a_docstring(package: str) -> None:
    lines = (ROOT / package / "__init__.py").read_text().strip()
    assert lines.startswith('"""')
    assert lines.endswith('"""')
    assert lines.count('"""') == 2


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("agents.events", ("langgraph", "langchain_core", "aiohttp", "numpy")),
        ("app.settings", ("litestar", "sqlalchemy", "langgraph", "numpy")),
        ("app.cli", ("litestar", "langgraph", "sqlalchemy", "talib", "alembic")),
        ("app.protocol.codec", ("litestar", "pydantic")),
    ],
)
def test_importing_a_word_does_not_load_a_framework(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
