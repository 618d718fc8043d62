"""What can go wrong in a tool, told to the model that called it.

ToolError
├── UnknownTool        no tool of that name is offered to this agent
├── InvalidArguments   the arguments do not fit the schema; `retry` is true
├── UnknownSymbol      no instrument of that name; carries the nearest known ones
├── NoData             the instrument is known but has no bars where they were asked for
├── TimedOut           it took longer than the caller allowed and was stopped
└── ToolFailed         a fault of the tool itself; the log has it, the model only learns that much
"""


class ToolError(Exception):
    """A failure the model may read and, if `retry`, mend by calling again."""

    code = "tool_error"
    retry = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UnknownTool(ToolError):
    code = "unknown_tool"
    retry = True


class InvalidArguments(ToolError):
    code = "invalid_arguments"
    retry = True


class UnknownSymbol(ToolError):
    code = "unknown_symbol"
    retry = True

    def __init__(
        self, symbol: str, *, nearest: tuple[str, ...] = (), known: tuple[str, ...] = ()
    ) -> None:
        hint = f" Did you mean {', '.join(nearest)}?" if nearest else ""
        if known and not nearest:
            hint = f" There are {', '.join(known)}."
        super().__init__(f"There is no instrument called {symbol!r} here.{hint}")
        self.symbol = symbol
        self.nearest = nearest


class NoData(ToolError):
    code = "no_data"


class TimedOut(ToolError):
    code = "timed_out"


class ToolFailed(ToolError):
    code = "tool_failed"
