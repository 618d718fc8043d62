"""Train a recipe on real prices and print what its card will say: the figures of docs/recipes.md.

python -m tests.studies.recipe_study no_trade_band             the five shipped symbols
python -m tests.studies.recipe_study scenario_paths --fetch    the fetched demo set
python -m tests.studies.recipe_study scenario_paths --fetch --set tier=gru
"""

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from app.services.predictions.panels import read_panel
from inference.training.catalog import RECIPES, recipe_for
from inference.training.recipe import TrainingData
from tools.market.demo import load_demo, vendored_market


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def main(args: argparse.Namespace) -> None:
    """Read, train, print."""
    market = vendored_market()
    symbols = [one.symbol for one in await market.all()]
    with tempfile.TemporaryDirectory() as folder:
        if args.fetch:
            await load_demo(market, market, Path(folder), on_progress=say)
            symbols = ["META", "AMZN", "AAPL", "NFLX", "NVDA", "GOOG"]
        now = datetime.now(UTC)
        panel = await read_panel(market, symbols, timeframe="1d", as_of=now)
    options = {name: _value(text) for name, text in (pair.split("=", 1) for pair in args.set)}
    started = time.monotonic()
    trained = recipe_for(args.recipe).train(
        TrainingData(panel, None, as_of=now, seed=args.seed), options, lambda _, __: None
    )
    took = time.monotonic() - started
    say(f"{args.recipe} on {len(panel.series)} symbols, trained and evaluated in {took:.1f} s")
    found = trained.evaluation
    say(f"{found.metric}: {found.loss:.5g}, n {found.n:,}, {found.first:%F} to {found.last:%F}")
    say(f"{found.n_refits} refits, purge {found.purge_bars} bars")
    say("| baseline | loss | skill [95 %] | DM t |\n|---|---|---|---|")
    for one in found.baselines:
        t = "" if one.dm_t is None else f"{one.dm_t:.1f}"
        interval = f"{one.skill:+.4f} [{one.skill_low:+.4f}, {one.skill_high:+.4f}]"
        say(f"| {one.name} | {one.loss:.5g} | {interval} | {t} |")
    say(f"by year: { ({year: round(skill, 3) for year, skill in found.by_year.items()}) }")
    for name, value in found.other.items():
        say(f"{name}: {value:.5g}")
    say(msgspec.json.format(msgspec.json.encode(trained.metrics), indent=2).decode())
    say(str(trained.parameters.custom_params))


def _value(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--fetch", action="store_true", help="the demo set instead of the shipped")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--seed", type=int, default=0)
    asyncio.run(main(parser.parse_args()))
