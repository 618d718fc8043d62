"""Models on other servers over REST: which addresses and which bundles are let in."""

from pathlib import Path

import httpx
import msgspec
import pytest

from inference.bundle import BUNDLE_FILE, Bundle, Head, InputColumn, Member
from inference.packing import pack
from tests.fakes.cards import evaluation, write_model
from tests.integration.rest.rest_desk import Clients

HERE = "oip+http://127.0.0.1:8085/sum"
NEW = {"name": "sum", "type": "regression", "framework": "scikit_learn", "deploymentUrl": HERE}
ZSTD = {"content-type": "application/zstd"}


def remote(folder: Path) -> bytes:
    """Return a packed model without weights, with an evaluation."""
    member = Member(name="away", runtime="remote", columns=("x",))
    made = Bundle(
        name="sum", recipe="imported", task="sum", model_type="regression",
        framework="scikit_learn", inputs=(InputColumn(name="x"),), members=(member,),
        head=Head(kind="value"),
    )  # fmt: skip
    folder.mkdir()
    (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(made))
    card = {k: v for k, v in NEW.items() if k != "deploymentUrl"}
    told = card | {"validationMetrics": {"evaluation": evaluation(low=0.1)}}
    return b"".join(pack(folder, extra={"card.json": msgspec.json.encode(told)}))


@pytest.fixture
def root(people: Clients) -> httpx.AsyncClient:
    return people.client("root")


async def test_a_bundle_and_an_address_become_a_version_that_may_serve(
    root: httpx.AsyncClient, tmp_path: Path
) -> None:
    made = (await root.post("/models", json=NEW)).json()
    assert made["deploymentUrl"] == HERE
    where = f"/models/{made['id']}"
    answer = await root.put(f"{where}/artifact", content=remote(tmp_path / "m"), headers=ZSTD)
    assert (answer.status_code, answer.json()["status"]) == (200, "validating"), answer.text
    for status in ("ready", "deployed"):
        moved = await root.post(f"{where}/transition", json={"status": status})
        assert moved.json()["status"] == status, moved.text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("oip+http://10.0.0.7:8085/sum", "Port 8085 is not allowed"),
        ("oip+http://10.0.0.7:8080/sum", "not a public address"),
        ("oip+grpc://10.0.0.7:8085/sum", "Port 8085 is not allowed"),
        ("tfs+grpcs://10.0.0.7:8443/sum", "not a public address"),
        ("tfs+grpc://127.0.0.1:8085/v1/models/sum", "must end in the model's name"),
        ("torchserve+grpc://127.0.0.1:8085/sum", "may begin with"),
        ("http://127.0.0.1:8085/sum", "may begin with oip+http"),
        ("oip+http://127.0.0.1:8085/", "must end in the model's name"),
    ],
)
async def test_an_address_that_the_desk_may_not_go_to_is_refused(
    url: str, said: str, root: httpx.AsyncClient
) -> None:
    answer = await root.post("/models", json=NEW | {"deploymentUrl": url})
    assert (answer.status_code, answer.json()["code"]) == (422, "address_refused"), answer.text
    assert said in answer.text


async def test_weights_and_an_address_do_not_go_together(
    root: httpx.AsyncClient, tmp_path: Path
) -> None:
    away = (await root.post("/models", json=NEW | {"framework": "numpy"})).json()
    packed = b"".join(pack(write_model(tmp_path / "numpy")))
    answer = await root.put(f"/models/{away['id']}/artifact", content=packed, headers=ZSTD)
    assert answer.status_code == 422, answer.text
    assert "runtime 'remote'" in answer.text

    here = {k: v for k, v in NEW.items() if k != "deploymentUrl"}
    made = (await root.post("/models", json=here)).json()
    body = remote(tmp_path / "m")
    answer = await root.put(f"/models/{made['id']}/artifact", content=body, headers=ZSTD)
    assert answer.status_code == 422, answer.text
    assert "needs the model's deploymentUrl" in answer.text
