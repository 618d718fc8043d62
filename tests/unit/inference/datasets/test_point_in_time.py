from datetime import datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.datasets.feature_sets import FeatureSet
from inference.datasets.offline_features import Cursor, OfflineFeatures, OnlineRow
from inference.datasets.point_in_time import Asked, Found
from tests.fakes.feature_rows import Row, day, definition, fill_with, stood

TTL = 3.0
QUARTERS = st.integers(0, 40).map(lambda quarter: quarter / 4)
ROWS = st.lists(
    st.builds(
        Row,
        entity=st.sampled_from("AB"),
        event=QUARTERS,
        known=QUARTERS,
        value=st.one_of(st.none(), st.integers(0, 5).map(float)),
        label=st.sampled_from([None, "x", "y"]),
    ),
    max_size=14,
    unique_by=lambda row: (row.entity, row.event, row.known),
)
ASKED = st.lists(st.tuples(st.sampled_from("ABC"), QUARTERS), min_size=1, max_size=12)
SLOWLY = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def at(store: OfflineFeatures, view: FeatureSet, asked: list[tuple[str, float]]) -> Found:
    times = np.array([day(when).replace(tzinfo=None) for _, when in asked], "datetime64[us]")
    return store.at(view, Asked([who for who, _ in asked], times))


def said(found: Found) -> list[tuple[object, ...]]:
    columns = zip(found.columns["value"].tolist(), found.columns["label"].tolist(), strict=True)
    return [
        (str(event), str(known), None if value != value else value, label)
        for event, known, (value, label) in zip(
            found.event_times, found.known_at, columns, strict=True
        )
    ]


def plainly(rows: list[Row], asked: list[tuple[str, float]]) -> list[tuple[object, ...]]:
    answers: list[tuple[object, ...]] = []
    for who, when in asked:
        row = stood(rows, who, when, TTL)
        if row is None or row.known is None:
            answers.append(("NaT", "NaT", None, None))
        else:
            answers.append(
                (moment_of(day(row.event)), moment_of(day(row.known)), row.value, row.label)
            )
    return answers


@SLOWLY
@given(rows=ROWS, asked=ASKED)
def test_the_join_is_the_plainest_search_over_all_rows(
    rows: list[Row], asked: list[tuple[str, float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = fresh(tmp_path_factory)
    view = definition(ttl_days=TTL)
    store.add(view, fill_with(rows), seen=day(1000))

    assert said(at(store, view, asked)) == plainly(rows, asked)


@SLOWLY
@given(rows=ROWS, asked=ASKED, cut=QUARTERS)
def test_what_was_not_known_yet_changes_no_answer(
    rows: list[Row],
    asked: list[tuple[str, float]],
    cut: float,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    view = definition(ttl_days=TTL)
    early = [one for one in asked if one[1] <= cut]
    if not early:
        return
    whole, truncated, poisoned = (fresh(tmp_path_factory) for _ in range(3))
    known = [row for row in rows if max(row.event, row.known or 0.0) <= cut]
    later = [row for row in rows if row not in known]
    spoilt = [Row(row.entity, row.event, row.known, 1e9, "poison") for row in later]
    whole.add(view, fill_with(rows), seen=day(1000))
    truncated.add(view, fill_with(known), seen=day(1000))
    poisoned.add(view, fill_with([*known, *spoilt]), seen=day(1000))

    answers = [said(at(store, view, early)) for store in (whole, truncated, poisoned)]

    assert answers[0] == answers[1] == answers[2]


@SLOWLY
@given(parts=st.lists(ROWS, min_size=2, max_size=3))
def test_up_to_the_newest_stored_moment_no_answer_ever_changes(
    parts: list[list[Row]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever comes late or is corrected, by sources that do not say since when it was known."""
    view = definition(ttl_days=1e4, known=None)
    store = fresh(tmp_path_factory)
    last: dict[str, float] = {}
    answered: dict[tuple[str, float], tuple[object, ...]] = {}
    for number, rows in enumerate(parts):
        unsaid = [Row(row.entity, row.event, None, row.value, row.label) for row in rows]
        store.add(view, fill_with(unsaid), seen=day(20 + number))
        for row in rows:
            last[row.entity] = max(last.get(row.entity, 0.0), row.event)
        asked = [(who, when / 4) for who, end in last.items() for when in range(int(4 * end) + 1)]
        if not asked:
            continue
        for question, answer in zip(asked, said(at(store, view, asked)), strict=True):
            assert answered.setdefault(question, answer) == answer, question


@SLOWLY
@given(parts=st.lists(ROWS, min_size=1, max_size=3), now=QUARTERS)
def test_the_online_rows_are_the_answers_of_now(
    parts: list[list[Row]], now: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Taken in steps, each from where the last one ended, as materialisation does."""
    view = definition(ttl_days=1e4)
    store = fresh(tmp_path_factory)
    online: dict[str, OnlineRow] = {}
    cursor = Cursor()
    for number, rows in enumerate(parts):
        store.add(view, fill_with(rows), seen=day(0))
        moment = day(now + number)
        for some in store.newest(view, cursor, now=moment, at_once=1):
            for row in some:
                old = online.get(row.entity, row)
                if (row.event_time, row.known_at) >= (old.event_time, old.known_at):
                    online[row.entity] = row
        index = store.index(view)
        if index is not None:
            cursor = Cursor(store=index.store, batch=index.batch, until=moment)

        found = said(at(store, view, [(who, now + number) for who in "AB"]))
        served = [online.get(who) for who in "AB"]
        assert found == [
            ("NaT", "NaT", None, None)
            if one is None
            else (moment_of(one.event_time), moment_of(one.known_at), *one.values.values())
            for one in served
        ]


def fresh(factory: pytest.TempPathFactory) -> OfflineFeatures:
    return OfflineFeatures(factory.mktemp("features"))


def moment_of(time: datetime) -> str:
    return str(np.datetime64(time.replace(tzinfo=None), "us"))
