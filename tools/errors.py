"""What can go wrong in a tool, told to the model that called it.

ToolError
├── UnknownTool        no tool of that name is offered to this agent
├── InvalidArguments   the arguments do not fit the schema; `retry` is true
├── UnknownSymbol      no instrument of that name; carries the nearest known ones
├── MixedBasis         bars as traded were to be mixed with split-adjusted ones
├── SymbolTaken        another instrument is called by that symbol
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


class MixedBasis(ToolError):
    code = "mixed_basis"

    def __init__(self, symbol: str, timeframe: str, *, stored: str, given: str) -> None:
        self.series = (symbol, timeframe)
        self.stored = stored
        super().__init__(
            f"The {timeframe} bars of {symbol} are {stored.replace('_', ' ')} and these are "
            f"{given.replace('_', ' ')}; the two are never mixed. Replace the whole history, or "
            f"send bars on the basis that is stored."
        )


class SymbolTaken(ToolError):
    code = "symbol_taken"

    def __init__(self, symbol: str) -> None:
        super().__init__(
            f"{symbol} is the symbol of another instrument that is still listed. "
            f"Delist that one or change its symbol first."
        )


class NoData(ToolError):
    code = "no_data"


class TimedOut(ToolError):
    code = "timed_out"


class ToolFailed(ToolError):
    code = "tool_failed"
