"""What the websocket says is written down: every frame, close code and error code."""

import ast
import re
from pathlib import Path

import pytest

from app.protocol.close_codes import FINAL, CloseCode
from app.protocol.codec import FRAME_TYPES
from app.protocol.frames import SERVER_FRAME_TYPES, ServerFrame

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs/protocol.md").read_text()

MAKERS = {
    "BadFrame": 0,
    "Error": 0,
    "ErrorFrame": 0,
    "FrameError": 0,
    "RefusedCommand": 1,
    "RefusedHandshake": 1,
    "_refuse": 1,
}
"""What makes an error, and which of its arguments is the code."""
SOURCES = [
    *sorted((ROOT / "app/protocol").glob("*.py")),
    *sorted((ROOT / "app/gateway").glob("*.py")),
    ROOT / "app/services/conversations/runs.py",
    ROOT / "app/services/conversations/run_commands.py",
    ROOT / "app/services/live/live.py",
    ROOT / "app/storage/runs.py",
    ROOT / "app/storage/engine.py",
]


def error_codes() -> set[str]:
    """Return every literal error code that a command or handshake can be answered with."""
    found: set[str] = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            for code in _codes_in(node):
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    found.add(code.value)
    return found


def _codes_in(node: ast.AST) -> list[ast.expr | None]:
    if isinstance(node, ast.arguments):  # what `code` is when it is not given
        named = zip(node.kwonlyargs, node.kw_defaults, strict=True)
        return [default for argument, default in named if argument.arg == "code"]
    if not isinstance(node, ast.Call):
        return []
    codes: list[ast.expr | None] = [k.value for k in node.keywords if k.arg == "code"]
    position = MAKERS.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
    if position is not None and len(node.args) > position:
        codes.append(node.args[position])
    return codes


def section(heading: str) -> str:
    """Return the text between a heading and the next one."""
    start = DOCS.index(f"{heading}\n")
    following = re.search(r"^#+ ", DOCS[start + len(heading) :], re.MULTILINE)
    end = start + len(heading) + following.start() if following else len(DOCS)
    return DOCS[start:end]


@pytest.mark.parametrize("kind", FRAME_TYPES)
def test_a_command_is_documented(kind: str) -> None:
    assert f"| `{kind}` |" in section("## Client to server")


@pytest.mark.parametrize("kind", SERVER_FRAME_TYPES)
def test_a_server_frame_is_documented(kind: str) -> None:
    assert f"| `{kind}` |" in section("## Server to client")


def test_the_list_of_server_frames_is_whole() -> None:
    tags = {frame.__struct_config__.tag for frame in ServerFrame.__subclasses__()}
    assert {*tags, "event"} == set(SERVER_FRAME_TYPES)


@pytest.mark.parametrize("frame", ServerFrame.__subclasses__(), ids=lambda frame: frame.__name__)
def test_a_field_of_a_server_frame_is_documented(frame: type[ServerFrame]) -> None:
    tag = frame.__struct_config__.tag
    row = next(line for line in DOCS.splitlines() if line.startswith(f"| `{tag}` |"))
    assert [name for name in frame.__struct_encode_fields__ if name not in row] == []


@pytest.mark.parametrize("code", list(CloseCode))
def test_a_close_code_is_documented_with_what_to_do(code: CloseCode) -> None:
    rows = [line for line in section("## Close codes").splitlines() if line.startswith("| 1")]
    rows += [line for line in section("## Close codes").splitlines() if line.startswith("| 4")]
    row = next(line for line in rows if str(int(code)) in line.split("|")[1])
    then = row.split("|")[3]
    assert ("final" in then or "sign in" in then) == (code in FINAL)


def test_error_codes_are_found_where_they_are_made() -> None:
    assert {"not_json", "invalid_input", "run_active", "too_many_sockets"} <= error_codes()


@pytest.mark.parametrize("code", sorted(error_codes()))
def test_an_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in section("### Error codes") + section("## Signing in")


def test_no_code_is_documented_that_nothing_makes() -> None:
    rows = [line for line in section("### Error codes").splitlines() if line.startswith("| `")]
    documented = {code for row in rows for code in re.findall(r"`(\w+)`", row.split("|")[1])}
    defaults = {"not_found", "unavailable", "invalid"}
    assert documented - error_codes() - defaults == set()
