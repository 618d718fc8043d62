"""Every way to be refused has the same shape and tells nothing of how the server is built."""

from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from app.domain.errors import Unavailable
from app.rest.door import MAX_BODY
from app.rest.market import MAX_BARS_BODY
from tests.unit.app.rest.in_process import Open

PATCH = "/api/v1/agents/00000000-0000-0000-0000-000000000001"
LOGIN = "/api/v1/auth/login"


def assert_problem(answer: Any, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"type", "title", "status", "detail", "code"}
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"urn:outcry:problem:{code}"
    assert body["detail"]
    return str(body["detail"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "needs a JSON body"),
        (b"{", "not JSON"),
        (b'{"email": "a", "password": NaN}', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"email": "\\ud800", "password": "x"}', "not JSON"),
        (b"[" * 100_000, "Expected `object`"),
        (b"null", "Expected `object`"),
        (b'{"email": "a"}', "`password`"),
        (b'{"email": 1, "password": "x"}', "at `email`"),
        (b'{"email": "a", "password": "x", "role": "admin"}', "unknown field `role`"),
    ],
)
async def test_a_body_that_does_not_fit_says_where(
    open_client: Open, content: bytes, says: str
) -> None:
    answer = await open_client().post(
        LOGIN, content=content, headers={"content-type": "application/json"}
    )
    assert says in assert_problem(answer, 422, "invalid")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None],
)
async def test_only_json_is_read(open_client: Open, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await open_client().post(LOGIN, content=b'{"email":"a"}', headers=headers)
    assert "application/json" in assert_problem(answer, 415, "unsupported_media_type")


async def test_a_body_over_the_limit_is_refused_naming_both_sizes(open_client: Open) -> None:
    content = b'{"email": "' + b"x" * MAX_BODY + b'"}'
    answer = await open_client().post(
        LOGIN, content=content, headers={"content-type": "application/json"}
    )
    detail = assert_problem(answer, 413, "too_large")
    assert f"{MAX_BODY:,}" in detail
    assert f"{len(content):,}" in detail


async def test_a_body_of_unknown_length_is_refused_when_it_gets_too_long(
    open_client: Open,
) -> None:
    async def endless() -> Any:
        for _ in range(2 * MAX_BARS_BODY // 65_536):
            yield b" " * 65_536

    answer = await open_client(key="admin").post(
        "/api/v1/bars", content=endless(), headers={"content-type": "application/json"}
    )
    assert f"{MAX_BARS_BODY:,}" in assert_problem(answer, 413, "too_large")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/instruments?limit=0", "limit"),
        ("/instruments?limit=many", "`limit` must be a whole number from 1 to 200."),
        ("/instruments?limit=1.5", "`limit` must be a whole number from 1 to 200."),
        ("/instruments?limit=201", "`limit` must be a whole number from 1 to 200."),
        ("/runs/00000000-0000-0000-0000-000000000001/events?after=x", "`after` must be a whole"),
        ("/instruments?page=2", "there are query, cursor, limit"),
        ("/me?x=1", "there are none here"),
        ("/instruments?limit=1&limit=2", "given twice"),
        ("/bars", "symbol"),
        ("/bars?symbol=GOOG&limit=10001", "`limit` must be a whole number from 1 to 10,000."),
        ("/bars?symbol=GOOG&from=soon", "`from`"),
        ("/bars?symbol=GOOG&adjusted=perhaps", "adjusted"),
        ("/conversations?status=closed", "status"),
        ("/conversations?agentId=1", "agentId"),
        ("/conversations?cursor=abc", "`cursor`"),
        ("/conversations?cursor=%00", "`cursor`"),
        ("/conversations?cursor=WyIyMDI2LTAxLTAxIiwgMV0", "`cursor`"),
        ("/agents?cursor=W10", "`cursor`"),
        ("/costs?cursor=-1", "`cursor`"),
        ("/search", "query"),
    ],
)
async def test_a_query_that_does_not_fit_says_where(
    open_client: Open, path: str, says: str
) -> None:
    answer = await open_client(key="all").get(f"/api/v1{path}")
    assert says in assert_problem(answer, 422, "invalid")


async def test_what_does_not_exist_is_not_there(open_client: Open) -> None:
    client = open_client(key="all")
    for path in ("/nothing", "/api/v1/nothing", "/api/v2/me", "/api/v1/agents/not-an-id"):
        assert_problem(await client.get(path), 404, "not_found")


async def test_a_method_that_is_not_possible_says_which_are(open_client: Open) -> None:
    answer = await open_client(key="all").put("/api/v1/me")
    assert_problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


class Broken:
    """A service whose every method fails with one error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def authenticate(self, **_: object) -> None:
        raise self.error


async def test_a_crash_is_logged_whole_and_told_in_one_sentence(open_client: Open) -> None:
    structlog.reset_defaults()
    client = open_client(key="all", authenticator=Broken(KeyError("password=hunter2")))
    with capture_logs() as logs:
        answer = await client.get("/api/v1/me")
    assert_problem(answer, 500, "internal_error")
    assert "hunter2" not in answer.text
    assert "KeyError" not in answer.text
    (entry,) = [log for log in logs if log["event"] == "rest.crashed"]
    assert isinstance(entry["exc_info"], KeyError)
    assert entry["path"] == "/api/v1/me"


async def test_what_is_away_says_when_to_come_back(open_client: Open) -> None:
    away = Unavailable("The database cannot be reached.", retry_after_s=2)
    answer = await open_client(key="all", authenticator=Broken(away)).get("/api/v1/me")
    assert_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "2"


async def test_every_answer_carries_the_security_headers(open_client: Open) -> None:
    client = open_client(key="all")
    for path in ("/api/v1/me", "/api/v1/nothing", "/health", "/schema", "/nothing"):
        headers = (await client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"


async def test_the_openapi_document_loads_nothing_and_speaks_of_problems(
    open_client: Open,
) -> None:
    client = open_client()
    document = (await client.get("/schema")).json()
    assert document["openapi"].startswith("3.1")
    assert "http" not in str(document["servers"])
    assert (await client.get("/schema/openapi.json")).json() == document
    assert (await client.get("/schema/openapi.yaml")).status_code == 200
    for ui in ("swagger", "redoc", "elements", "rapidoc", "scalar"):
        assert (await client.get(f"/schema/{ui}")).status_code == 404
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/api/"):
                refusals = [code for code in operation["responses"] if code >= "400"]
                for code in refusals:
                    content = operation["responses"][code]["content"]
                    assert list(content) == ["application/problem+json"], (method, path, code)
                assert refusals, (method, path)


async def test_a_monitor_may_ask_with_head(open_client: Open, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><title>Outcry</title>", encoding="utf-8")
    client = open_client(key="all", web_folder=tmp_path)
    for path in ("/health", "/health/ready", "/", "/schema", "/api/v1/me", "/api/v1/instruments"):
        got, asked = await client.get(path), await client.head(path)
        assert asked.status_code == got.status_code == 200, path
        assert (got.content != b"", asked.content) == (True, b""), path
        for name in ("content-type", "cache-control", "content-security-policy"):
            assert asked.headers[name] == got.headers[name], (path, name)
    assert (await client.head("/nothing")).status_code == 404
    assert (await open_client().head("/api/v1/me")).status_code == 401
    assert "HEAD" in (await client.put("/api/v1/me")).headers["allow"]
    document = (await client.get("/schema")).json()
    assert not [path for path, methods in document["paths"].items() if "head" in methods]


@pytest.mark.parametrize("depth", [100, 900, 100_000])
async def test_json_that_is_nested_without_end_is_refused(open_client: Open, depth: int) -> None:
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    content = (
        b'{"name":"n","type":"analyst","systemPrompt":"p","tools":[{"name":"t","description":"d",'
        b'"endpoint":"builtin:t","parameters":' + nested + b"}]}"
    )
    answer = await open_client(key="admin").post(
        "/api/v1/agents", content=content, headers={"content-type": "application/json"}
    )
    assert_problem(answer, 422, "invalid")
