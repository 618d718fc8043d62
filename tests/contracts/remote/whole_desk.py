"""A model on another server, brought into a running desk, asked, and graded: the whole way."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from inference.bundle import BUNDLE_FILE, Bundle, Head, Member
from inference.datasets.path_views import PATH_STATE
from inference.packing import pack
from tests.fakes.cards import evaluation
from tests.faults.server import Server
from tests.integration.terminal.command import Command

API = "/api/v1"
ALLOW = {"OUTCRY_OUTBOUND_ALLOW": "127.0.0.1:*"}
SYMBOL = "GOOG"
AS_OF = "2012-06-01T21:00:00Z"
"""The bars that come with the desk go on after it: the horizon can be settled at once."""


def remote_bundle(name: str, **options: Any) -> Bundle:
    """Return a bundle without weights: of two numbers from prices it makes a log variance."""
    columns = tuple(column.name for column in PATH_STATE.columns)
    return Bundle(
        name=name,
        recipe="imported",
        task="variance",
        model_type="regression",
        framework="scikit_learn",
        inputs=PATH_STATE.columns,
        members=(Member(name="away", runtime="remote", columns=columns, options=options),),
        head=Head(
            kind="log_variance",
            interval_level=0.8,
            residual_quantiles=((0.1, -1.5), (0.5, 0.0), (0.9, 1.5)),
        ),
        feature_view=PATH_STATE.key,
        horizon_bars=5,
        timeframe="1d",
        event="the mean variance of the next 5 daily bars",
        unit="squared log return a bar",
    )


def write_card(folder: Path, name: str, url: str | None, **options: Any) -> dict[str, Any]:
    """Write a folder that holds `bundle.json` and `card.json`; return the card."""
    folder.mkdir()
    (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(remote_bundle(name, **options)))
    card = {"name": name, "type": "regression", "framework": "scikit_learn"}
    if url is not None:
        card["deploymentUrl"] = url
    measured = {"validationMetrics": {"evaluation": msgspec.to_builtins(evaluation(low=0.1))}}
    (folder / "card.json").write_bytes(msgspec.json.encode(card | measured))
    return card


async def import_by_command(outcry: Command, folder: Path, name: str) -> None:
    """`outcry model import FOLDER`, and let it serve."""
    done = await outcry("model", "import", str(folder))
    assert done.rc == 0, done.err
    assert f"{name}@1 is validating" in done.out
    for status in ("ready", "deployed"):
        done = await outcry("model", "transition", f"{name}@1", status)
        assert done.rc == 0, done.err
    shown = (await outcry("model", "show", name)).out
    assert "+http://" in shown, "it shows where the model runs"


async def import_over_rest(server: Server, key: str, folder: Path, card: dict[str, Any]) -> None:
    """`POST /models` with the address, `PUT` the packed folder, and let it serve."""
    made = await ask(server, "POST", "/models", card, key=key)
    where = f"/models/{made['id']}"
    packed = b"".join(pack(folder, extra={}))
    headers = {"Content-Type": "application/zstd"}
    response = await asyncio.to_thread(
        server.request, "PUT", API + where + "/artifact", packed, key=key, headers=headers
    )
    assert (response.status, response.body["status"]) == (200, "validating"), response.body
    for status in ("ready", "deployed"):
        moved = await ask(server, "POST", f"{where}/transition", {"status": status}, key=key)
        assert moved["status"] == status


async def ask(server: Server, method: str, path: str, body: Any = None, *, key: str) -> Any:
    """Return what the desk's REST door says."""
    response = await asyncio.to_thread(server.request, method, API + path, body, key=key)
    assert response.status in (200, 201), response.body
    return response.body


async def predict(
    server: Server, model: str, request: str, given: dict[str, Any], *, key: str
) -> Any:
    """Return a prediction."""
    body = {"modelId": model, "requestId": f"{model} {request}", "input": given, "deadlineS": 20.0}
    return await ask(server, "POST", "/predictions", body, key=key)


async def see_it_graded(
    server: Server, outcry: Command, made: dict[str, Any], *, key: str
) -> dict[str, Any]:
    """Settle what can be settled; return the prediction as it then is."""
    done = await outcry("settle")
    assert done.rc == 0, done.err
    found: dict[str, Any] = await ask(server, "GET", f"/predictions/{made['id']}", key=key)
    return found
