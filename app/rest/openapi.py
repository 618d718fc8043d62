"""The OpenAPI document at `/schema`: JSON and YAML, and no page that would load anything."""

from typing import Any

import msgspec
from litestar import Request, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition

from app.rest.problems import MEDIA_TYPE, Problem
from app.rest.sign_in import COOKIE, anyone

REFUSALS = {
    "401": "Nobody is signed in",
    "403": "Known to you, but not allowed",
    "404": "Unknown, or not yours",
    "409": "Contradicts what is stored",
    "413": "Too large",
    "415": "Not JSON",
    "422": "The request itself is wrong",
    "429": "Too many attempts",
    "503": "Not now",
}
"""What routes of the API may answer; which means what is in docs/rest.md."""


class _Json(JsonRenderPlugin):
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, with_refusals(openapi_schema))


class _Yaml(YamlRenderPlugin):
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, with_refusals(openapi_schema))


def openapi(version: str) -> OpenAPIConfig:
    """Return what `/schema` serves."""
    return OpenAPIConfig(
        title="Outcry",
        version=version,
        description="A self-hosted desk of market agents whose every answer can be checked.",
        path="/schema",
        operation_id_creator=_operation_id,
        openapi_router=Router("/schema", route_handlers=[], guards=[anyone]),
        render_plugins=[_Json(path=["/", "/openapi.json"]), _Yaml()],
        components=Components(
            security_schemes={
                "session": SecurityScheme(type="apiKey", name=COOKIE, security_scheme_in="cookie"),
                "apiKey": SecurityScheme(type="http", scheme="bearer"),
            }
        ),
    )


def _operation_id(
    handler: HTTPRouteHandler, method: Method, path: list[str | PathParameterDefinition]
) -> str:
    """Name HEAD apart from the GET it goes with: Litestar refuses a name that is given twice."""
    name = OpenAPIConfig.operation_id_creator(handler, method, path)
    return f"Head{name}" if method == "HEAD" else name


def with_refusals(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with our problems in place of the errors Litestar would answer."""
    where = "#/components/schemas/{name}"
    (reference,), schemas = msgspec.json.schema_components([Problem], ref_template=where)
    refusals = {
        status: {"description": description, "content": {MEDIA_TYPE: {"schema": reference}}}
        for status, description in REFUSALS.items()
    }
    components = document.get("components", {})
    return {
        **document,
        "paths": {
            path: {
                method: _with(operation, refusals if path.startswith("/api/") else {})
                for method, operation in operations.items()
                if method != "head"  # the same as GET, everywhere
            }
            for path, operations in document["paths"].items()
        },
        "components": {**components, "schemas": {**components.get("schemas", {}), **schemas}},
    }


def _with(operation: dict[str, Any], refusals: dict[str, Any]) -> dict[str, Any]:
    kept = {code: told for code, told in operation["responses"].items() if code != "400"}
    return {**operation, "responses": {**kept, **refusals}}
