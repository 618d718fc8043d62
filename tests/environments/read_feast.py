"""What Feast makes of an exported repository; run by its environment's Python.

    python tests/environments/read_feast.py FOLDER < asked.json

Asked are a view, its entity and columns, pairs of entity and time, entities now, and until when to
materialise. Applies and materialises by Feast's own command, and prints what both stores answer.
"""

import json
import os
import subprocess
import sys
import warnings
from typing import Any

os.environ["FEAST_USAGE"] = "False"
warnings.simplefilter("ignore")


def main(folder: str) -> None:
    import pandas  # type: ignore[import-untyped]  # noqa: PLC0415 - after the warnings are off
    from feast import FeatureStore  # type: ignore[import-not-found]  # noqa: PLC0415

    asked = json.load(sys.stdin)
    if asked.get("apply", True):
        for arguments in (["apply"], ["materialize", asked["since"], asked["until"]]):
            done = subprocess.run(
                [sys.executable, "-m", "feast.cli.cli", "-c", folder, *arguments],
                check=False,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise SystemExit(done.stderr[-2000:] + done.stdout[-2000:])
    store = FeatureStore(repo_path=folder)
    view, entity, columns = asked["view"], asked["entity"], asked["columns"]
    names = [f"{view}:{name}" for name in columns]
    frame = pandas.DataFrame(
        {
            entity: [who for who, _ in asked["pairs"]],
            "event_timestamp": pandas.to_datetime([when for _, when in asked["pairs"]], utc=True),
            "row": range(len(asked["pairs"])),
        }
    )
    past = store.get_historical_features(entity_df=frame, features=names).to_df()
    now = store.get_online_features(
        features=names, entity_rows=[{entity: who} for who in asked["now"]]
    ).to_dict()
    rows = {
        int(record["row"]): [_clean(record[name]) for name in columns]
        for record in past.to_dict("records")
    }
    online = [[_clean(now[name][place]) for name in columns] for place in range(len(asked["now"]))]
    print(json.dumps({"past": [rows.get(i) for i in range(len(frame))], "now": online}))  # noqa: T201


def _clean(value: Any) -> Any:
    return None if value is None or value != value else value


if __name__ == "__main__":
    main(sys.argv[1])
