"""What trainings are called, and when two are of one design."""

from typing import Any

import pytest

from app.services.promotion import _design
from app.services.training_records import title_of
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
