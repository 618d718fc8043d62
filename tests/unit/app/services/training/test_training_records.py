"""What trainings are called, and when two are of one design."""

from typing import Any

import pytest

from app.domain.errors import Invalid
from app.services.training.promotion import _design
from app.services.training.training_records import title_of, with_target
from inference.training.catalog import recipe_for
from inference.training.recipe import with_defaults


@pytest.mark.parametrize(
    ("options", "title"),
    [
        ({}, "Training return-quantiles-5"),
        ({"tier": "torch", "workers": 4}, "Training return-quantiles-5 with 4 workers"),
    ],
)
def test_a_training_says_how_many_work_on_it(options: dict[str, Any], title: str) -> None:
    recipe = recipe_for("return_quantiles")
    assert title_of(recipe, with_defaults(recipe, options)) == title


def test_where_it_was_computed_makes_no_other_design() -> None:
    here = {"tier": "torch", "hidden": [32], "workers": 1, "device": "cpu"}
    assert _design(here) == _design({**here, "workers": 4, "device": "cuda"})
    assert _design(here) != _design({**here, "hidden": [64]})


def test_whoever_names_a_target_alone_means_the_recipe_about_tables() -> None:
    assert with_target(None, "price", {"tier": "numpy"}) == (
        "tabular",
        {"tier": "numpy", "target": "price"},
    )
    assert with_target("", "price", {}) == ("tabular", {"target": "price"})
    assert with_target("variance", None, {"horizon": 5}) == ("variance", {"horizon": 5})
    with pytest.raises(Invalid, match="`recipe`, or the `target`"):
        with_target("", None, {})
