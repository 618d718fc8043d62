"""The one door to tools keeps its promises whatever a tool or a model does."""

import asyncio
from typing import Any

import jsonschema
import pytest

from tools.errors import (
    InvalidArguments,
    NoData,
    TimedOut,
    ToolError,
    ToolFailed,
    UnknownSymbol,
    UnknownTool,
)
from tools.registry import ToolBox
from tools.tool import ToolContext, ToolResult

TOOLS = (
    "quotes",
    "indicators",
    "signals",
    "scorecard",
    "levels",
    "what_changed",
    "compare",
    "screen",
    "instruments",
    "condition_record",
)
CALLS: dict[str, dict[str, Any]] = {
    "quotes": {"symbol": "GOOG", "period": "1y"},
    "indicators": {"symbol": "GOOG"},
    "signals": {"symbol": "GOOG"},
    "scorecard": {"symbol": "GOOG"},
    "levels": {"symbol": "GOOG"},
    "what_changed": {"symbol": "GOOG", "period": "3m"},
    "compare": {"symbols": ["AAPL", "MSFT"]},
    "screen": {"where": {"field": "rsi", "op": ">", "value": 50}},
    "instruments": {},
    "condition_record": {
        "symbol": "GOOG",
        "condition": {"field": "rsi", "op": "<", "value": 30},
    },
}
ABOUT_ONE = ("quotes", "indicators", "signals", "levels", "what_changed")


class Made:
    """A tool that does what the test says."""

    name = "made"
    description = "For a test."
    parameters: dict[str, Any] = {"type": "object", "properties": {}}  # noqa: RUF012

    def __init__(self, failure: BaseException | None = None, *, hangs: bool = False) -> None:
        self._failure = failure
        self._hangs = hangs
        self.cancelled = False

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        if self._failure is not None:
            raise self._failure
        if self._hangs:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
        return ToolResult(data={}, summary="done", source="a test")


async def test_an_unknown_tool_is_refused_with_the_names_there_are(
    box: ToolBox, context: ToolContext
) -> None:
    with pytest.raises(UnknownTool, match="quotes, indicators, signals") as refused:
        await box.call("predict", {}, context)
    assert refused.value.retry


def test_specs_come_in_the_order_asked_for_and_refuse_unknown_names(box: ToolBox) -> None:
    assert [spec.name for spec in box.specs(("signals", "quotes"))] == ["signals", "quotes"]
    assert tuple(spec.name for spec in box.specs()) == TOOLS
    with pytest.raises(UnknownTool, match="nothing"):
        box.specs(("quotes", "nothing"))


def test_two_tools_of_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="made"):
        ToolBox([Made(), Made()])


async def test_a_fault_of_the_tool_becomes_a_sentence_without_its_text(
    context: ToolContext,
) -> None:
    box = ToolBox([Made(RuntimeError("secret path /srv/keys"))])
    with pytest.raises(ToolFailed) as told:
        await box.call("made", {}, context)
    assert "secret" not in told.value.message
    assert "made failed" in told.value.message
    assert not told.value.retry


async def test_a_timeout_inside_the_tool_is_not_taken_for_our_own_limit(
    context: ToolContext,
) -> None:
    with pytest.raises(ToolFailed):
        await ToolBox([Made(TimeoutError())]).call("made", {}, context)


async def test_a_tool_error_passes_as_it_is(context: ToolContext) -> None:
    failure = NoData("nothing there")
    with pytest.raises(NoData) as told:
        await ToolBox([Made(failure)]).call("made", {}, context)
    assert told.value is failure


async def test_a_tool_that_hangs_is_stopped_at_its_limit(context: ToolContext) -> None:
    made = Made(hangs=True)
    hasty = ToolContext(principal_id="somebody", now=context.now, timeout_s=0.01)
    with pytest.raises(TimedOut, match=r"0\.01 seconds"):
        await ToolBox([made]).call("made", {}, hasty)
    assert made.cancelled


async def test_a_cancelled_call_is_cancelled_not_failed(context: ToolContext) -> None:
    made = Made(hangs=True)
    call = asyncio.create_task(ToolBox([made]).call("made", {}, context))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert made.cancelled


@pytest.mark.parametrize("name", TOOLS)
async def test_every_tool_refuses_arguments_it_does_not_know(
    name: str, box: ToolBox, context: ToolContext
) -> None:
    with pytest.raises(InvalidArguments) as refused:
        await box.call(name, {**CALLS[name], "colour": "red"}, context)
    assert "colour" in refused.value.message
    assert refused.value.retry
    for allowed in box.specs((name,))[0].parameters["properties"]:
        assert allowed in refused.value.message


@pytest.mark.parametrize("name", [*ABOUT_ONE, "compare"])
@pytest.mark.parametrize("value", [7, None, "", ["GOOG", 3], {"a": 1}, True])
async def test_every_tool_refuses_arguments_of_the_wrong_kind(
    name: str, value: object, box: ToolBox, context: ToolContext
) -> None:
    key = "symbols" if name == "compare" else "symbol"
    with pytest.raises(InvalidArguments, match="Arguments:"):
        await box.call(name, {key: value}, context)


@pytest.mark.parametrize("name", TOOLS)
async def test_the_schema_says_the_same_as_the_check(
    name: str, box: ToolBox, context: ToolContext
) -> None:
    schema = box.specs((name,))[0].parameters
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert "$ref" not in str(schema)
    assert all(described["description"] for described in schema["properties"].values())
    jsonschema.validate(CALLS[name], schema)
    await box.call(name, CALLS[name], context)
    required = schema.get("required", [])
    for missing in required:
        short = {key: value for key, value in CALLS[name].items() if key != missing}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(short, schema)
        with pytest.raises(InvalidArguments, match=missing):
            await box.call(name, short, context)


async def test_a_wrong_choice_is_answered_with_the_choices(
    box: ToolBox, context: ToolContext
) -> None:
    with pytest.raises(InvalidArguments, match=r"period \(.*1y.*ytd\)"):
        await box.call("quotes", {"symbol": "GOOG", "period": "a while"}, context)


async def test_an_unknown_symbol_names_the_nearest_ones(box: ToolBox, context: ToolContext) -> None:
    with pytest.raises(UnknownSymbol, match="Did you mean MSFT") as refused:
        await box.call("quotes", {"symbol": "microsft"}, context)
    assert refused.value.nearest == ("MSFT",)
    with pytest.raises(UnknownSymbol, match="There are AAPL, FB, GOOG, IBM, MSFT"):
        await box.call("signals", {"symbol": "TSLA"}, context)


def test_every_error_has_a_stable_code() -> None:
    kinds: list[type[ToolError]] = [
        UnknownTool,
        InvalidArguments,
        UnknownSymbol,
        NoData,
        TimedOut,
        ToolFailed,
    ]
    assert all(issubclass(kind, ToolError) for kind in kinds)
    assert len({kind.code for kind in kinds}) == len(kinds)
