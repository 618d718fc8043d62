"""A feature exists when it is written down: settings, commands and decisions."""

from pathlib import Path

import rich_click as click

from app.cli import cli
from app.settings import VARIABLE_NAMES

ROOT = Path(__file__).resolve().parents[2]


def commands(group: click.Group, prefix: str = "outcry") -> list[str]:
    found: list[str] = []
    for name, command in group.commands.items():
        path = f"{prefix} {name}"
        found.extend(commands(command, path) if isinstance(command, click.Group) else [path])
    return found


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    assert [name for name in VARIABLE_NAMES if f"`{name}`" not in text] == []


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs/cli.md").read_text()
    assert [path for path in commands(cli) if f"`{path}" not in text] == []


def test_every_command_explains_itself() -> None:
    def undocumented(group: click.Group) -> list[str]:
        found = [name for name, command in group.commands.items() if not command.help]
        for command in group.commands.values():
            if isinstance(command, click.Group):
                found.extend(undocumented(command))
        return found

    assert undocumented(cli) == []


def test_every_decision_names_what_it_decided() -> None:
    for path in (ROOT / "docs/decisions").glob("*.md"):
        text = path.read_text()
        assert "**Decision.**" in text, path
        assert "**Context.**" in text, path
