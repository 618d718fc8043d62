"""Properties of the route table as a whole: what must hold for every route there will ever be."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from app.domain.errors import Refusal
from app.rest.door import API, RestDoor, RestServices
from app.rest.requests import known_parameters
from app.rest.sign_in import GUARDS, anyone, may_read, signed_in

DOCS = Path(__file__).parents[4] / "docs" / "rest.md"
OPEN_ON_PURPOSE = {
    f"POST {API}/auth/login",
    f"POST {API}/auth/link",
    "GET /health",
    "GET /health/ready",
    "GET /",
    "GET /sign-in",
    "GET /c/{}",
    "GET /m/{}",
    "GET /screen",
    "GET /scorecard",
    "GET /alerts",
    "GET /models",
    "GET /models/{}",
    "GET /assets/{}",
    "GET /{}",
    "GET /schema",
    "GET /schema/openapi.json",
    "GET /schema/openapi.yaml",
    "GET /schema/openapi.yml",
    "GET /schema/{}",
}


def routes(app: Litestar) -> Iterator[tuple[str, HTTPRouteHandler]]:
    """Yield `METHOD /path/{}` and the handler of every HTTP route."""
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        path = re.sub(r"\{[^}]*\}", "{}", route.path)
        for method, (handler, _) in route.route_handler_map.items():
            if method not in {"OPTIONS", "HEAD"}:  # HEAD is GET without its body
                yield f"{method} {path}", handler


def guards(handler: HTTPRouteHandler) -> list[object]:
    return [guard for layer in handler.ownership_layers for guard in layer.guards or ()]


@pytest.fixture
def app(services: RestServices, tmp_path: Path) -> Litestar:
    return Litestar(plugins=[RestDoor(replace(services, web_folder=tmp_path))])


def test_every_route_names_exactly_one_known_guard(app: Litestar) -> None:
    wrong = {
        name: found
        for name, handler in routes(app)
        if len(found := guards(handler)) != 1 or found[0] not in GUARDS
    }
    assert not wrong


def test_only_the_listed_routes_are_open_to_anyone(app: Litestar) -> None:
    assert {name for name, handler in routes(app) if guards(handler) == [anyone]} == OPEN_ON_PURPOSE


READS_BY_POST = {
    f"POST {API}/tools/{{}}",  # its arguments are an object; every tool only reads
}


def test_a_route_that_changes_something_asks_for_more_than_the_right_to_read(
    app: Litestar,
) -> None:
    too_weak = {
        name
        for name, handler in routes(app)
        if not name.startswith("GET ") and may_read in guards(handler)
    }
    assert too_weak == READS_BY_POST
    assert {n for n, h in routes(app) if signed_in in guards(h)} == {
        f"GET {API}/me",
        f"POST {API}/auth/logout",
    }


def documented() -> set[str]:
    """Return `METHOD /path/{}` for every route in the tables of docs/rest.md."""
    found = set()
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        match = re.match(r"\| `(GET|POST|PATCH|DELETE|PUT) (/(?!v2\b)[^`?]*)[^`]*` \|", line)
        if match:
            found.add(f"{match[1]} {re.sub(r'{[^}]*}', '{}', match[2])}")
    return found


def test_the_documentation_and_the_routes_are_the_same_set(app: Litestar) -> None:
    existing = {name.replace(f" {API}", " ", 1) if API in name else name for name, _ in routes(app)}
    assert documented() == existing


def test_every_query_parameter_is_in_the_documentation(app: Litestar) -> None:
    text = DOCS.read_text(encoding="utf-8")
    missing = {
        f"{name}?{parameter}"
        for name, handler in routes(app)
        for parameter in known_parameters(handler)
        if f"`{parameter}`" not in text and f"{parameter}=" not in text
    }
    assert not missing


def test_the_web_client_is_only_there_when_it_is_asked_for(services: RestServices) -> None:
    app = Litestar(plugins=[RestDoor(services)])
    assert "GET /" not in {name for name, _ in routes(app)}


BEHIND_REST = (
    "rest/*.py",
    "services/accounts.py",
    "services/agents.py",
    "services/alert*.py",
    "services/bar_intake.py",
    "services/conversations.py",
    "services/dataset*.py",
    "wiring/datasets.py",
    "services/costs_report.py",
    "services/experiments.py",
    "services/instruments.py",
    "services/jobs.py",
    "services/market.py",
    "services/model_*.py",
    "services/models.py",
    "wiring/registry.py",
    "services/market_records.py",
    "services/paging.py",
    "services/answering.py",
    "services/feature*.py",
    "services/prediction*.py",
    "services/run_reads.py",
    "services/training.py",
    "wiring/alerts.py",
    "security/authenticator.py",
    "security/lockout.py",
    "storage/engine.py",
)


def test_every_code_a_refusal_may_carry_is_in_the_documentation() -> None:
    text = DOCS.read_text(encoding="utf-8")
    files = [path for name in BEHIND_REST for path in (DOCS.parents[1] / "app").glob(name)]
    assert len(files) >= len(BEHIND_REST)
    codes = {
        code
        for path in files
        for code in re.findall(r'\bcode="([a-z_]+)"', path.read_text("utf-8"))
    }
    codes |= {kind.default_code for kind in Refusal.__subclasses__()}
    missing = {code for code in codes if f"`{code}`" not in text}
    assert not missing


def test_guards_are_coroutines_so_that_no_request_takes_a_thread_to_be_let_in() -> None:
    assert [guard.__name__ for guard in GUARDS if not inspect.iscoroutinefunction(guard)] == []
