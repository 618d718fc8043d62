"""`/models` over REST on a real Postgres: in, on and out, and everything that is refused."""

import io
import pickle
import tarfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import zstandard

from inference.formats.folder import FolderLimits
from inference.packing import pack, unpack
from tests.fakes.cards import evaluation, write_model
from tests.integration.rest.rest_desk import Clients, Desk
from tools.signal_views import RULES

NEW = {"name": "calm", "type": "regression", "framework": "numpy", "architecture": "linear"}
ZSTD = {"content-type": "application/zstd"}


def packed(folder: Path, *, low: float = 0.1, more: Mapping[str, bytes] | None = None) -> bytes:
    """Return a packed model with a card that holds an evaluation."""
    card = NEW | {"validationMetrics": {"evaluation": evaluation(low=low)}}
    files = {"card.json": msgspec.json.encode(card)} | dict(more or {})
    return b"".join(pack(write_model(folder), extra=files))


@pytest.fixture
def root(people: Clients) -> httpx.AsyncClient:
    return people.client("root")


@pytest.fixture
def ann(people: Clients) -> httpx.AsyncClient:
    return people.client("ann")


async def _made(root: httpx.AsyncClient, data: bytes) -> dict[str, Any]:
    made = (await root.post("/models", json=NEW)).json()
    answer = await root.put(f"/models/{made['id']}/artifact", content=data, headers=ZSTD)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _move(root: httpx.AsyncClient, model: str, status: str, **more: str) -> httpx.Response:
    return await root.post(f"/models/{model}/transition", json={"status": status, **more})


async def test_a_model_comes_in_serves_and_goes_out_again(
    root: httpx.AsyncClient, ann: httpx.AsyncClient, tmp_path: Path
) -> None:
    card = await _made(root, packed(tmp_path / "m"))
    assert (card["status"], card["task"], card["horizonBars"]) == ("validating", "variance", 1)
    assert (await _move(root, card["id"], "ready")).status_code == 200
    deployed = (await _move(root, card["id"], "deployed")).json()
    assert (deployed["status"], deployed["aliases"]) == ("deployed", ["champion"])

    where = f"/models/{card['id']}"
    assert (await ann.get(where)).json() == deployed
    performance = (await ann.get(f"{where}/performance")).json()
    assert performance["hasSkill"] is True
    assert performance["bestBaseline"]["name"] == "log-HAR"
    assert performance["absent"]["accuracy"].startswith("It forecasts a number")
    assert performance["absent"]["latencyMs"] == "It was not timed on this machine."
    assert performance["speed"] is None
    files = (await ann.get(f"{where}/files")).json()["files"]
    assert [file["path"] for file in files] == ["bundle.json", "ridge.safetensors"]
    lineage = (await ann.get(f"{where}/lineage")).json()
    assert (lineage["predictions"], lineage["dataset"]) == (0, None)
    kinds = [event["kind"] for event in (await ann.get(f"{where}/events")).json()["items"]]
    assert kinds == ["status", "status", "attached", "created"]
    versions = (await ann.get(f"{where}/versions")).json()["items"]
    assert [one["id"] for one in versions] == [card["id"]]
    listed = (await ann.get("/models?alias=champion&task=variance")).json()["items"]
    assert [one["id"] for one in listed] == [card["id"]]

    answer = await ann.get(f"{where}/artifact")
    assert answer.headers["content-disposition"] == 'attachment; filename="calm-1.tar.zst"'
    out = tmp_path / "out"
    unpack(io.BytesIO(answer.content), out, FolderLimits())
    for file in (tmp_path / "m").iterdir():
        assert (out / file.name).read_bytes() == file.read_bytes()
    again = await _made(root, answer.content)
    assert (again["artifact"], again["version"]) == (card["artifact"], "2")
    assert again["validationMetrics"] == card["validationMetrics"]


async def test_what_the_lifecycle_forbids_is_told_with_what_is_missing(
    root: httpx.AsyncClient, tmp_path: Path
) -> None:
    made = (await root.post("/models", json=NEW)).json()
    answer = await _move(root, made["id"], "deployed")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_allowed")
    assert "from there it may become validating or failed" in answer.json()["detail"]
    card = await _made(root, packed(tmp_path / "m", low=-0.2))
    await _move(root, card["id"], "ready")
    answer = await _move(root, card["id"], "deployed")
    assert answer.status_code == 409
    assert "not above 0; give a reason to override" in answer.json()["detail"]
    answer = await _move(root, card["id"], "deployed", reason="to show what no skill is")
    assert answer.json()["deployedDespite"] == "to show what no skill is"
    answer = await root.post(f"/models/{card['id']}/aliases", json={"alias": "best"})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_allowed")
    answer = await root.post(f"/models/{card['id']}/aliases", json={"alias": "challenger"})
    assert answer.json()["aliases"] == ["challenger"]


def _tar(**entries: bytes | tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in entries.items():
            entry = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(data, bytes):
                entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data) if isinstance(data, bytes) else None)
    return zstandard.compress(out.getvalue())


def _link() -> tarfile.TarInfo:
    entry = tarfile.TarInfo("passwd.txt")
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return entry


BAD = {
    "no archive": (b"hello", "bad_model"),
    "an archive that is not packed": (zstandard.decompress(_tar(a=b"x")), "bad_model"),
    "a pickle in it": (_tar(**{"m.safetensors": pickle.dumps({})}), "bad_model"),
    "a path that leads out": (_tar(**{"../evil.json": b"{}"}), "unsafe_artifact"),
    "an absolute path": (_tar(**{"/etc/evil.json": b"{}"}), "unsafe_artifact"),
    "a link": (_tar(link=_link()), "unsafe_artifact"),
    "nothing in it": (_tar(), "bad_model"),
    "a bomb": (_tar(**{"bundle.json": b" " * 3_000_000}), "bad_model"),
}


@pytest.mark.parametrize("kind", BAD)
async def test_an_upload_that_may_not_be_is_refused_and_leaves_nothing(
    kind: str, root: httpx.AsyncClient, desk: Desk
) -> None:
    made = (await root.post("/models", json=NEW)).json()
    data, code = BAD[kind]
    answer = await root.put(f"/models/{made['id']}/artifact", content=data, headers=ZSTD)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert (await root.get(f"/models/{made['id']}")).json() == made
    assert not [path for path in desk.registry.root.rglob("*") if path.is_file()]


async def test_an_unsafe_file_is_named(root: httpx.AsyncClient, tmp_path: Path) -> None:
    made = (await root.post("/models", json=NEW)).json()
    data = packed(tmp_path / "m", more={"more.safetensors": pickle.dumps({"w": 1})})
    answer = await root.put(f"/models/{made['id']}/artifact", content=data, headers=ZSTD)
    assert (answer.status_code, answer.json()["code"]) == (422, "unsafe_artifact")
    assert (
        "more.safetensors is named safetensors but is a pickle" in answer.json()["detail"].lower()
    )


async def test_an_upload_cut_anywhere_leaves_the_old_version_serving(
    root: httpx.AsyncClient, desk: Desk, tmp_path: Path
) -> None:
    old = await _made(root, packed(tmp_path / "m"))
    await _move(root, old["id"], "ready")
    old = (await _move(root, old["id"], "deployed")).json()
    new = (await root.post("/models", json=NEW)).json()
    folder = write_model(tmp_path / "n", slope=3.0)
    (folder / "vocab.txt").write_text("".join(f"word{n}\n" for n in range(30_000)))
    whole = b"".join(pack(folder))
    before = sorted(path for path in desk.registry.root.rglob("*") if path.is_file())

    for at in range(0, len(whole) - 64, len(whole) // 12):

        async def cut(at: int = at) -> AsyncIterator[bytes]:
            yield whole[:at]

        where = f"/models/{new['id']}/artifact"
        answer = await root.put(where, content=cut(), headers=ZSTD)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_model")
    assert sorted(path for path in desk.registry.root.rglob("*") if path.is_file()) == before
    assert await desk.registry.models.champion("variance") == await desk.registry.models.find(
        old["id"]
    )
    assert (await root.get(f"/models/{old['id']}/artifact")).status_code == 200
    answer = await root.put(f"/models/{new['id']}/artifact", content=whole, headers=ZSTD)
    assert answer.status_code == 200


async def test_an_upload_that_is_too_large_or_no_zstd_is_refused(root: httpx.AsyncClient) -> None:
    made = (await root.post("/models", json=NEW)).json()
    where = f"/models/{made['id']}/artifact"
    answer = await root.put(where, content=b"x" * 1_000_001, headers=ZSTD)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "1,000,000 bytes" in answer.json()["detail"]
    answer = await root.put(where, content=b"{}", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_files_changed_on_the_disk_are_not_given_out_and_the_model_is_quarantined(
    root: httpx.AsyncClient, desk: Desk, tmp_path: Path
) -> None:
    card = await _made(root, packed(tmp_path / "m"))
    file = desk.registry.artifacts.open(card["artifact"]) / "ridge.safetensors"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[::-1])
    answer = await root.get(f"/models/{card['id']}/artifact")
    assert (answer.status_code, answer.json()["code"]) == (503, "damaged_artifact")
    card = (await root.get(f"/models/{card['id']}")).json()
    assert (card["status"], card["quarantinedAt"] is not None) == ("failed", True)
    assert "is not the file that was approved" in card["failure"]


async def test_a_model_is_fetched_from_a_listed_address_as_a_job(
    root: httpx.AsyncClient, desk: Desk, tmp_path: Path
) -> None:
    url = "https://models.example.org/outcry/calm.tar.zst"
    desk.registry.web[url] = packed(tmp_path / "m")
    job = (await root.post("/models/import", json={"url": url, "version": "7"})).json()
    assert job["status"] == "queued"
    await desk.jobs.work_on(job["id"])
    done = (await root.get(f"/jobs/{job['id']}")).json()
    assert (done["status"], done["result"]["model"]) == ("completed", "calm@7")
    card = (await root.get(f"/models/{done['result']['modelId']}")).json()
    assert (card["status"], card["version"]) == ("validating", "7")
    event = (await root.get(f"/models/{card['id']}/events")).json()["items"][0]
    assert (event["kind"], event["details"]["source"]) == ("imported", url)


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example.org/outcry/m.tar.zst",
        "https://models.example.org/other/m.tar.zst",
        "https://models.example.org/outcry/../other/m.tar.zst",
        "https://models.example.org/outcry/%2e%2e/other/m.tar.zst",
        "https://models.example.org.evil.test/outcry/m.tar.zst",
        "https://models.example.org@evil.test/outcry/m.tar.zst",
        "https://evil.test/outcry/m.tar.zst",
        "https://models.example.org/outcryevil/m.tar.zst",
        "https://models.example.org:8443/outcry/m.tar.zst",
        "file:///etc/passwd",
        "",
    ],
)
async def test_an_address_that_is_not_listed_is_refused(url: str, root: httpx.AsyncClient) -> None:
    answer = await root.post("/models/import", json={"url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, "source_not_allowed")
    assert "https://models.example.org/outcry/" in answer.json()["detail"]


async def test_the_rules_of_the_signals_are_shown_as_a_model(ann: httpx.AsyncClient) -> None:
    card = (await ann.get(f"/models/{RULES}")).json()
    assert (card["name"], card["status"], card["architecture"]) == (
        "market-signals", "deployed", "rules",
    )  # fmt: skip
    answer = await ann.get(f"/models/{RULES}/artifact")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await ann.get(f"/models/{RULES}/performance")).json()["hasSkill"] is None


async def test_every_field_of_the_seed_is_there(ann: httpx.AsyncClient) -> None:
    fields = set((await ann.get(f"/models/{RULES}")).json())
    assert fields >= {
        "id", "name", "version", "type", "framework", "architecture", "parameters", "performance",
        "status", "deploymentUrl", "trainingDatasetId", "validationMetrics", "createdBy",
        "trainedAt", "deployedAt", "deprecatedAt", "createdAt", "updatedAt",
    }  # fmt: skip
