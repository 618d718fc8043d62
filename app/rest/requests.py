"""How strictly a request is read: JSON only, no coercion, no field or parameter we do not know."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
from litestar import Request
from litestar.enums import ParamType
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import ParameterKwarg

from app.domain.errors import Invalid
from app.domain.text import clean_text


class Body(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What the bodies of all requests share."""


class StrictRequest(Request[Any, Any, Any]):
    """Decodes a body straight into its handler's type.

    Litestar would first build a dict and then convert it leniently, taking `"true"` for true.
    """

    async def json(self) -> Any:
        """Return the body as the type that the handler's `data` asks for.

        Raises:
            Invalid: it is not JSON or does not fit; says where and why.
        """
        media_type = self.content_type[0]
        if media_type != "application/json":
            raise HTTPException(
                status_code=415,
                detail=f"Send Content-Type: application/json, not {media_type or 'none'}.",
            )
        field = self.route_handler.parsed_data_field
        expected = Any if field is None else field.annotation
        try:
            return msgspec.json.decode(await self.body(), type=expected)
        except msgspec.ValidationError as error:
            raise Invalid(f"{_in_words(error)}.") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid(f"The body is not JSON: {_in_words(error)}.") from None


async def refuse_unknown_parameters(request: Request[Any, Any, Any]) -> None:
    """Refuse a query parameter that the handler does not have, or one given twice.

    Raises:
        Invalid: names it and says which there are.
    """
    given = [name for name, _ in request.query_params.multi_items()]
    if not given:
        return
    known = known_parameters(request.route_handler)
    for name in given:
        if name not in known:
            there_are = f"there are {', '.join(known)}" if known else "there are none here"
            raise Invalid(f"There is no query parameter {clean_text(name)[:40]!r}; {there_are}.")
        if given.count(name) > 1:
            raise Invalid(f"The query parameter {name!r} is given twice.")


def known_parameters(handler: HTTPRouteHandler) -> list[str]:
    """Return the names of a handler's query parameters, as clients know them."""
    return list(parameter_names(handler).values())


def parameter_names(handler: HTTPRouteHandler) -> dict[str, str]:
    """Return argument name -> query parameter name."""
    provided = handler.resolve_dependencies()
    return {
        parameter.name: definition.name or parameter.name
        for parameter in handler.parsed_fn_signature.parameters.values()
        if parameter.name not in provided
        and isinstance(definition := parameter.kwarg_definition, ParameterKwarg)
        and definition.param_type is ParamType.QUERY
    }


def moment(value: str | None, name: str) -> datetime | None:
    """Return a date (its beginning) or a time, both ISO 8601; a time without zone is UTC.

    Raises:
        Invalid: it is neither.
    """
    if value is None:
        return None
    try:
        parsed = datetime.fromisoformat(value)
        if parsed.tzinfo is None:
            return parsed.replace(tzinfo=UTC)
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(
            f"`{name}` must be a date or a time such as 2024-05-01 or 2024-05-01T14:30:00Z."
        ) from None


def day(value: str | None, name: str) -> date | None:
    """Return a date, ISO 8601.

    Raises:
        Invalid: it is none.
    """
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Invalid(f"`{name}` must be a date such as 2024-05-01.") from None


def address_of(request: Request[Any, Any, Any]) -> str:
    """Return the address a request came from, for rate limits and lock-outs."""
    return request.client.host if request.client else "unknown"


def _in_words(error: Exception) -> str:
    return str(error).replace(" - at `$.", " at `").replace(" - at `$`", "")
