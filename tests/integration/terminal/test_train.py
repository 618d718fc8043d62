"""`outcry train` and `outcry evaluate`, as a person runs them beside a running desk."""

import json
from pathlib import Path

import pytest

from tests.integration.terminal.command import Command

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("terminal"),
]

QUICK = ("--set", "garch=false", "--symbols", "AAPL,IBM")


async def test_a_model_is_trained_shown_and_shown_again(outcry: Command) -> None:
    done = await outcry("train", "variance", "--horizon", "5", *QUICK, "--deploy")

    assert done.rc == 0, done.err
    assert "variance-5@" in done.out
    assert "log-HAR" in done.out
    assert "Bars of AAPL, IBM, 1d@1" in done.out
    assert done.out.rstrip().endswith("skill above 0.")
    shown = await outcry("evaluate", "variance-5", "--json")
    card = json.loads(shown.out)
    assert (card["status"], card["aliases"]) == ("deployed", ["champion"])
    assert card["validationMetrics"]["training"]["options"]["garch"] is False

    again = await outcry("evaluate", "variance-5", "--again", "--as-of", "2011-01-01")
    assert again.rc == 0, again.err
    assert "known by 2010-12-31" in again.out
    assert "Nobody asked for its deployment." in again.out


async def test_a_network_is_trained_by_two_workers(outcry: Command) -> None:
    pytest.importorskip("torch")
    quick = ("--set", "epochs=2", "--set", "refit_bars=800", "--symbols", "AAPL")
    net = ("train", "return_quantiles", "--tier", "torch", "--device", "cpu")
    done = await outcry(*net, "--workers", "2", *quick)

    assert done.rc == 0, done.err
    assert ", 2 workers on the CPU" in done.out
    shown = await outcry("evaluate", "return-quantiles-5", "--json")
    told = json.loads(shown.out)["validationMetrics"]
    assert told["computedWith"] == {"workers": 2, "device": "cpu", "card": None}
    assert told["training"]["options"]["workers"] == 2


async def test_what_cannot_be_trained_is_told_in_a_line(outcry: Command, tmp_path: Path) -> None:
    for arguments, says in (
        (("alchemy",), "There is no recipe 'alchemy'; there are: variance"),
        (("variance", "--set", "depth=3"), "has no option 'depth'"),
        (("variance", "--workers", "2"), "has no option 'workers'"),
        (("return_quantiles", "--workers", "2"), "computes in one process on the CPU"),
        (("variance", "--symbols", "ZZZ"), "There is no instrument called 'ZZZ' here."),
        (("variance", "--backend", "ray"), "RAY_ADDRESS"),
        (("news_sentiment", "--texts", str(tmp_path / "no.csv")), "There is no file"),
        (("variance", "--symbols", "FB", "--set", "garch=false"), "300 to learn from"),
    ):
        done = await outcry("train", *arguments)
        assert (done.rc, done.out) == (1, ""), arguments
        assert says in done.err, done.err
        assert "Traceback" not in done.err


async def test_recipes_are_listed(outcry: Command) -> None:
    listed = await outcry("train", "--list")

    assert listed.rc == 0
    assert "variance" in listed.out
    assert "horizon=" in listed.out
