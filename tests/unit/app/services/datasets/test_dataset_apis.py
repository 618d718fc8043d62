"""Where an api's rows are, and where it says that the next page is."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.datasets import DataSource
from app.domain.errors import Invalid
from app.services.datasets.dataset_apis import (
    ApiPlan,
    linked,
    next_page,
    read_api,
    rows_in,
    wait_asked,
)

HERE = "https://api.example.org/v1/rows?size=2"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def plan(query: str | None, **more: Any) -> ApiPlan:
    return read_api(DataSource(type="api", uri=HERE, query=query, **more))


@pytest.mark.parametrize(
    "query",
    ["page=1", "rows=", "rows=a..b", "next=a&cursor=b:c", "cursor=a", "cursor=:x", "anything"],
)
def test_a_query_that_means_nothing_is_refused(query: str) -> None:
    with pytest.raises(Invalid, match="may say rows=KEYS"):
        plan(query)


def test_only_json_has_a_query() -> None:
    with pytest.raises(Invalid, match="gives JSON"):
        plan("rows=a", format="csv")


def test_rows_are_where_they_are_said_to_be_or_in_the_only_list() -> None:
    row = {"a": 1}
    assert rows_in([row], ApiPlan()) == [row]
    assert rows_in({"total": 1, "items": [row]}, ApiPlan()) == [row]
    assert rows_in({"data": {"items": [row], "more": []}}, plan("rows=data.items")) == [row]
    for found, query, says in (
        ({"a": [], "b": []}, None, "2 lists"),
        ({"message": "no"}, None, "0 lists"),
        ({"data": {}}, "rows=data.items", "nothing at data.items"),
        ([1, 2], None, "no list of JSON objects"),
        ("text", None, "no list of JSON objects"),
    ):
        with pytest.raises(Invalid, match=says):
            rows_in(found, plan(query))


def test_the_next_page_is_told_by_a_header_an_address_or_a_cursor() -> None:
    link = {"link": '<https://a.org/x>; rel="prev", <?page=2&size=2>; title="a"; rel="next last"'}
    there = "https://api.example.org/v1/rows?page=2&size=2"
    assert next_page(HERE, [], link, plan(None)) == there
    assert next_page(HERE, [], {}, plan(None)) is None
    assert next_page(HERE, {"next": "/v2"}, link, plan("next=next")) == (
        "https://api.example.org/v2"
    )
    assert next_page(HERE, {"next": None}, {}, plan("next=next")) is None
    cursor = plan("cursor=meta.after:after")
    assert next_page(HERE, {"meta": {"after": "a b"}}, {}, cursor) == f"{HERE}&after=a+b"
    assert next_page(f"{HERE}&after=1", {"meta": {"after": 2}}, {}, cursor) == f"{HERE}&after=2"
    assert next_page(HERE, {"meta": {}}, {}, cursor) is None
    assert linked("nonsense") is None


@pytest.mark.parametrize(
    "there",
    [
        "https://evil.org/v1",
        "http://api.example.org/v1",
        "//evil.org/",
        "https://api.example.org:444/",
    ],
)
def test_credentials_go_nowhere_else(there: str) -> None:
    with pytest.raises(Invalid, match="credentials go nowhere else"):
        next_page(HERE, {"next": there}, {}, plan("next=next"))


def test_a_wait_is_asked_for_in_seconds_or_until_a_date() -> None:
    assert wait_asked("7", NOW) == 7
    assert wait_asked("Sun, 01 Mar 2026 12:00:30 GMT", NOW) == 30
    assert wait_asked("Sun, 01 Mar 2026 11:00:30 GMT", NOW) == 0
    assert wait_asked("soon", NOW) is None
    assert wait_asked("", NOW) is None
