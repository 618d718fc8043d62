"""Exported views in the real Feast, which must answer what the desk answers.

Feast needs an environment of its own: `python -m tests.environments.run feast`.
"""

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.datasets.feast_export import FeastFailed, apply_feast, export_feast, feast_name
from inference.datasets.feature_sets import FeatureSet
from inference.datasets.offline_features import Cursor, OfflineFeatures
from inference.datasets.point_in_time import Asked
from tests.fakes.feature_rows import Row, day, definition, fill_with

PYTHON = os.environ.get("OUTCRY_TEST_FEAST_PYTHON")
pytestmark = [
    pytest.mark.framework,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        PYTHON is None,
        reason="Feast needs an environment of its own: python -m tests.environments.run feast",
    ),
]
SCRIPT = Path(__file__).parents[1] / "environments" / "read_feast.py"
WHO = "ABC"


def made_rows() -> list[Row]:
    """Rows of three entities in 30 days: late ones, restated ones, gaps longer than the ttl."""
    dice = random.Random(7)
    rows: dict[tuple[str, float, float], Row] = {}
    for _ in range(120):
        event = dice.randrange(0, 120) / 4
        known = event + dice.choice([0, 0, 0, 0.25, 1, 5])
        who = dice.choice(WHO)
        value = None if dice.random() < 0.1 else dice.random()
        label = dice.choice([None, "x", "y"])
        if who == "C" and 10 < event < 20:
            continue
        rows[who, event, known] = Row(who, event, known, value, label)
    return list(rows.values())


def answers(view: FeatureSet, store: OfflineFeatures, asked: list[tuple[str, float]]) -> list[Any]:
    times = np.array([day(when).replace(tzinfo=None) for _, when in asked], "datetime64[us]")
    found = store.at(view, Asked([who for who, _ in asked], times))
    columns = [found.columns[name].tolist() for name in view.names]
    return [[None if v != v else v for v in row] for row in zip(*columns, strict=True)]


def by_feast(folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    assert PYTHON is not None
    done = subprocess.run(
        [PYTHON, str(SCRIPT), str(folder)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def test_feast_answers_what_the_desk_answers_now_and_then(tmp_path: Path) -> None:
    view = definition(ttl_days=3)
    store = OfflineFeatures(tmp_path / "features")
    store.add(view, fill_with(made_rows()), seen=day(100))
    # A correction that is learned on day 31 of what happened on day 29.
    store.add(view, fill_with([Row("A", 29, 29, 5.0)]), seen=day(30.5))
    store.add(view, fill_with([Row("A", 29, 29, 6.0)]), seen=day(31))
    asked = [(who, quarter / 4) for who in WHO for quarter in range(0, 140)]
    folder = tmp_path / "feast"

    names = export_feast(store, [view], folder)
    now = day(31.5)
    found = by_feast(
        folder,
        {
            "view": names[0],
            "entity": view.entity,
            "columns": list(view.names),
            "pairs": [(who, day(when).isoformat()) for who, when in asked],
            "now": [*WHO, "nobody"],
            "since": f"{day(-1):%Y-%m-%dT%H:%M:%S}",
            "until": f"{now:%Y-%m-%dT%H:%M:%S}",
        },
    )

    ours = answers(view, store, asked)
    # Feast leaves out a row that it finds nothing for among an entity's rows.
    assert [row or [None, None] for row in found["past"]] == ours
    assert sum(row != [None, None] for row in ours) > 200
    assert sum(row == [None, None] for row in ours) > 50
    online = answers(view, store, [(who, 31.5) for who in [*WHO, "nobody"]])
    assert found["now"] == online
    served = [row for some in store.newest(view, Cursor(), now=now) for row in some]
    assert {row.entity for row in served} == set(WHO)


async def test_the_desk_has_feast_apply_what_it_exports_and_brings_it_up_to_date(
    tmp_path: Path,
) -> None:
    assert PYTHON is not None
    view = definition(ttl_days=30)
    store = OfflineFeatures(tmp_path / "features")
    folder = tmp_path / "feast"
    environment = {"PATH": f"{Path(PYTHON).parent}:{os.environ['PATH']}"}
    values = []
    for number, value in enumerate((1.0, 2.0)):
        store.add(view, fill_with([Row("A", number, number, value)]), seen=day(9))
        export_feast(store, [view], folder)
        await apply_feast(store, [view], folder, now=day(9), environment=environment)
        asked = {
            "apply": False,
            "view": feast_name(view),
            "entity": view.entity,
            "columns": list(view.names),
            "pairs": [("A", day(9).isoformat())],
            "now": ["A"],
        }
        values.append(by_feast(folder, asked)["now"])

    assert values == [[[1.0, "a"]], [[2.0, "a"]]]
    (folder / "views.py").write_text("this is no Python")
    with pytest.raises(FeastFailed, match="feast apply"):
        await apply_feast(store, [view], folder, now=day(9), environment=environment)
