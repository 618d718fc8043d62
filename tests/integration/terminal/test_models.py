"""`outcry model …` as an operator types it: in, on and out."""

from pathlib import Path

import msgspec
import pytest

from inference.bundle import BUNDLE_FILE
from tests.fakes.cards import evaluation, write_model
from tests.integration.terminal.command import Command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_a_model_comes_in_serves_and_goes_out(outcry: Command, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "calm")
    card = {
        "name": "calm",
        "type": "regression",
        "framework": "numpy",
        "validationMetrics": {"evaluation": evaluation(low=-0.1)},
    }
    (folder / "card.json").write_bytes(msgspec.json.encode(card))
    done = await outcry("model", "import", str(folder))
    assert done.rc == 0, done.err
    assert "calm@1 is validating" in done.out

    done = await outcry("model", "transition", "calm@1", "deployed")
    assert done.rc == 1
    assert "from there it may become ready or failed, not deployed" in done.err
    assert (await outcry("model", "transition", "calm@1", "ready")).rc == 0
    done = await outcry("model", "transition", "calm@1", "deployed")
    assert done.rc == 1
    assert "not above 0; give a reason to override" in done.err
    done = await outcry(
        "model", "transition", "calm@1", "deployed", "--reason", "the honest example"
    )
    assert done.out.strip() == "calm@1 is deployed champion"
    assert (await outcry("model", "alias", "calm@1", "challenger")).out.strip() == (
        "calm@1 is challenger"
    )

    done = await outcry("model", "list")
    assert "calm@1" in done.out
    assert "market-signals@rules-2" in done.out
    assert "no such models" in (await outcry("model", "list", "--task", "nothing")).err
    shown = (await outcry("model", "show", "calm@challenger")).out
    assert "against log-HAR" in shown
    assert "no usable skill" in shown
    assert "the honest example" in shown
    whole = msgspec.json.decode((await outcry("model", "show", "calm", "--json")).out)
    assert whole["deployedDespite"] == "the honest example"

    assert "no alarms over models" in (await outcry("model", "alarms", "--all")).err
    done = await outcry("model", "acknowledge", "01a2197a-0005-77a5-b951-66a7c974e11a")
    assert (done.rc, "There is no such alarm" in done.err) == (1, True)

    packed = tmp_path / "calm.tar.zst"
    assert (await outcry("model", "export", "calm@1", "-o", str(packed))).rc == 0
    assert not packed.with_name("calm.tar.zst.part").exists()
    done = await outcry("model", "import", str(packed), "--name", "calmer")
    assert "calmer@1 is validating" in done.out
    again = msgspec.json.decode((await outcry("model", "show", "calmer@1", "--json")).out)
    assert again["artifact"] == whole["artifact"]


async def test_what_may_not_come_in_is_told_in_a_line(outcry: Command, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "calm")
    (folder / "modeling.py").write_text("print('hello')")
    done = await outcry("model", "import", str(folder))
    assert done.rc == 1
    assert "modeling.py: it is code; allowed are .safetensors" in done.err.replace("\n", " ")
    (folder / "modeling.py").unlink()
    (folder / BUNDLE_FILE).unlink()
    assert "holds no bundle.json" in (await outcry("model", "import", str(folder))).err
    done = await outcry("model", "import", "https://models.example.org/m.tar.zst")
    assert done.rc == 1
    assert "OUTCRY_MODEL_SOURCES; none is listed" in done.err
    done = await outcry("model", "import", str(tmp_path / "gone"))
    assert done.rc == 1
    assert "No such file" in done.err
    done = await outcry("model", "show", "nothing@7")
    assert done.rc == 1
    assert "There is no model 'nothing@7'" in done.err
