from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.bundle import Bundle, Head, InputColumn, Member, PreprocessingStep
from inference.engine.pipeline import LoadedModel, open_bundle
from inference.errors import BadInput, BadModel, MissingFramework, ModelFailed
from inference.requests import Rows
from tests.fakes.models import (
    linear_bundle,
    misbehaving_bundle,
    numbers,
    runtime_for,
    save_bundle,
)


def loaded(bundle: Bundle, folder: Path) -> LoadedModel:
    return LoadedModel.load(save_bundle(bundle, folder), runtime_for=runtime_for)


def member(weights: list[float], *, weight: float = 1.0) -> Member:
    return Member(name="m", runtime="numpy", options={"weights": weights}, weight=weight)


def test_columns_are_taken_by_name_and_not_by_place(tmp_path: Path) -> None:
    model = loaded(linear_bundle([1.0, 10.0]), tmp_path)
    swapped = Rows(("b", "a"), np.array([[2.0, 3.0]]))
    assert model.answer(swapped).values == [23.0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (Rows(("a",), np.ones((1, 1))), "'b' is missing"),
        (Rows(("a", "b", "z"), np.ones((1, 3))), "no column 'z'"),
        (Rows(("a",), np.ones((1, 1)), {"b": ("high",)}), "'b' must be a number"),
        (Rows(("a", "b"), np.array([[1.0, np.nan]])), "row 0, column 'b' is missing"),
        (Rows(("b", "a"), np.array([[1.0, 1.0], [1.0, np.inf]])), "row 1, column 'a' is infinite"),
        (Rows(("a", "b"), np.empty((0, 2))), "no rows"),
        (Rows(("a", "a", "b"), np.ones((1, 3))), "given twice"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_name(tmp_path: Path, rows: Rows, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        loaded(linear_bundle([1.0, 1.0]), tmp_path).answer(rows)


def test_what_is_missing_may_be_filled_by_a_step_or_not_be_needed(tmp_path: Path) -> None:
    bundle = linear_bundle(
        [1.0, 1.0],
        inputs=(InputColumn(name="a"), InputColumn(name="b", required=False)),
        steps=(PreprocessingStep(type="impute", parameters={"values": {"a": 5, "b": 7}}, order=0),),
    )
    model = loaded(bundle, tmp_path)
    assert model.answer(Rows(("a",), np.array([[np.nan]]))).values == [12.0]


def test_texts_times_and_flags_are_read_as_their_kinds(tmp_path: Path) -> None:
    bundle = linear_bundle(
        [1.0, 1.0, 10.0],
        inputs=(
            InputColumn(name="when", kind="datetime"),
            InputColumn(name="open", kind="binary"),
            InputColumn(name="side", kind="categorical"),
        ),
        steps=(
            PreprocessingStep(
                type="ordinal", parameters={"column": "side", "categories": ["0", "1"]}, order=0
            ),
        ),
    )
    model = loaded(bundle, tmp_path)
    rows = Rows(("open", "side"), np.array([[1.0, 1.0]]), {"when": ("1970-01-01T00:01:00Z",)})
    assert model.answer(rows).values == [71.0]
    with pytest.raises(BadInput, match="'open' must be 0 or 1"):
        model.answer(Rows(("open", "side", "when"), np.array([[2.0, 1.0, 0.0]])))
    with pytest.raises(BadInput, match="no ISO 8601 time"):
        model.answer(Rows(("open", "side"), np.ones((1, 2)), {"when": ("soon",)}))


def test_members_are_joined_by_their_weights(tmp_path: Path) -> None:
    members = (member([1.0], weight=3.0), member([5.0], weight=1.0))
    mean = loaded(linear_bundle([1.0], members=members, combine="mean"), tmp_path / "mean")
    assert mean.answer(numbers([2.0])).values == [4.0]
    geometric = loaded(
        linear_bundle([1.0], members=(member([1.0]), member([4.0])), combine="geometric_mean"),
        tmp_path / "geometric",
    )
    assert geometric.answer(numbers([1.0])).values == pytest.approx([2.0])
    with pytest.raises(ModelFailed, match="above 0"):
        geometric.answer(numbers([-1.0]))


def test_a_member_reads_only_its_own_columns(tmp_path: Path) -> None:
    only_b = Member(name="m", runtime="numpy", options={"weights": [1.0]}, columns=("b",))
    model = loaded(linear_bundle([1.0, 1.0], members=(only_b,)), tmp_path)
    assert model.answer(numbers([1.0, 9.0])).values == [9.0]


def test_contributions_of_members_add_up_to_the_joined_output(tmp_path: Path) -> None:
    members = (member([1.0, 2.0], weight=1.0), member([3.0, 4.0], weight=3.0))
    model = loaded(linear_bundle([1.0, 1.0], members=members, combine="mean"), tmp_path)
    answers = model.answer(numbers([1.0, 10.0]), explain=True)
    assert answers.contribution_names == ("a", "b")
    assert answers.contributions is not None
    assert answers.contributions.tolist() == [[2.5, 35.0]]
    assert answers.values == [37.5]
    assert model.answer(numbers([1.0, 10.0])).contributions is None


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("nan", "not finite"),
        ("huge", "above 1e\\+100"),
        ("short", "for 1 rows"),
        ("raise", "RuntimeError: a framework's own error"),
    ],
)
def test_nonsense_is_a_failure_and_never_an_answer(tmp_path: Path, does: str, said: str) -> None:
    model = loaded(misbehaving_bundle(does), tmp_path)
    with pytest.raises(ModelFailed, match=said):
        model.answer(numbers([1.0]))
    assert model.answer(numbers([-1.0])).values == [-1.0]


def test_a_call_of_many_rows_runs_in_pieces_of_the_size_the_bundle_allows(tmp_path: Path) -> None:
    model = loaded(linear_bundle([2.0], max_batch=3), tmp_path)
    answers = model.answer(Rows(("a",), np.arange(8.0)[:, None]))
    assert answers.values == pytest.approx(np.arange(8.0) * 2)
    assert model._members[0].calls == [3, 3, 2]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"members": ()}, "no members"),
        ({"members": (member([1.0]), member([1.0]))}, "combine is 'single'"),
        ({"members": (member([1.0], weight=-1.0),)}, "weights"),
        ({"max_batch": 0}, "maxBatch is 0"),
        ({"head": Head(kind="quantiles")}, "needs levels"),
        ({"head": Head(kind="quantiles", levels=(0.9, 0.1))}, "must rise"),
        ({"head": Head(kind="classes", classes=("one",))}, "at least two"),
        ({"head": Head(kind="value", interval_level=80.0)}, "intervalLevel is 80"),
    ],
)
def test_a_bundle_that_contradicts_itself_is_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadModel, match=said):
        open_bundle(save_bundle(linear_bundle([1.0], **changes), tmp_path))


def test_no_bundle_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="cannot be read"):
        open_bundle(tmp_path)
    (tmp_path / "bundle.json").write_text("{}")
    with pytest.raises(BadModel, match="is no bundle"):
        open_bundle(tmp_path)


def test_an_absent_framework_says_how_it_is_installed(tmp_path: Path) -> None:
    bundle = linear_bundle([1.0], members=(Member(name="m", runtime="tensorflow"),))
    with pytest.raises(MissingFramework, match=r"outcry\[tensorflow\]"):
        loaded(bundle, tmp_path)


@given(st.lists(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=2), min_size=1, max_size=30))
def test_a_row_is_answered_alike_alone_and_among_others(
    tmp_path_factory: pytest.TempPathFactory, values: list[list[float]]
) -> None:
    head = Head(
        kind="log_variance",
        scale=1.1,
        interval_level=0.8,
        residual_quantiles=((0.1, -0.3), (0.5, 0.0), (0.9, 0.4)),
    )
    bundle = linear_bundle([0.03, -0.02], head=head)
    model = loaded(bundle, tmp_path_factory.mktemp("model"))
    together = model.answer(numbers(*values))
    for index, value in enumerate(values):
        alone = model.answer(numbers(value))
        assert alone.values[0] == together.values[index]
        assert alone.low is not None
        assert together.low is not None
        assert alone.low[0] == together.low[index]
