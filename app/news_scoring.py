"""Score stored news again with another scorer, at the command line, and say what it cost."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec
from rich.console import Console

from agents.llms.builtin.model import BuiltinLLM
from agents.llms.catalog import Catalog
from agents.messages import Usage
from agents.news_scorer import AT_ONCE, Keep, LLMScorer
from app.domain.errors import Invalid
from app.security.passwords import Passwords
from app.security.people import People, utc_now
from app.security.sealing import Sealer, load_secret_key
from app.services.conversations.pricing import PriceBook
from app.settings import Settings
from app.storage.accounts import Accounts
from app.storage.engine import Database
from app.storage.news import PostgresNews
from app.storage.scoring_costs import ScoringCosts
from app.storage.secrets import StoredSecrets
from app.wiring.database import open_database
from app.wiring.desk import llm_environment
from app.wiring.news import NLP, news_model, sentiment_model
from tools.market.news import NewsItem
from tools.market.scorer import HenryRules, Scorer, Text

_out = Console(highlight=False)


class ScoringWanted(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `outcry score`."""

    scorer: str
    """`henry-rules`, `nlp`, `llm`, or the folder of a model."""
    symbol: str | None
    since: datetime | None
    limit: int
    at_most_usd: Decimal | None
    unpriced: bool


async def score_again(settings: Settings, wanted: ScoringWanted) -> None:
    """Score the newest items that another scorer scored, and print how many and what it cost.

    What was scored before a failure stays scored.

    Raises:
        Invalid, ScoringFailed, BudgetExceeded: it stopped; the message says why.
    """
    async with open_database(settings, on_progress=lambda _: None) as (database, _):
        if wanted.scorer == "llm":
            catalog = await _catalog(settings, database)
            try:
                people = People(Accounts(database), Passwords())
                owner = await people.ensure_owner(settings.admin_email, settings.admin_password)
                costs = ScoringCosts(database, owner.id)
                scorer = await _llm_scorer(catalog, wanted, keep=costs.add)
                try:
                    await _score(database, scorer, wanted)
                finally:
                    _out.print(f"spent {scorer.spent_usd} USD")
            finally:
                await catalog.aclose()
            return
        await _score(database, _plain_scorer(settings, database, wanted.scorer), wanted)


def _plain_scorer(settings: Settings, database: Database, name: str) -> Scorer:
    if name == HenryRules.name.partition("/")[0]:
        return HenryRules()
    return news_model(settings, database) if name == str(NLP) else sentiment_model(Path(name))


async def _score(database: Database, scorer: Scorer, wanted: ScoringWanted) -> None:
    news = PostgresNews(database)
    found = await news.read(
        symbol=wanted.symbol, until=utc_now(), since=wanted.since, limit=wanted.limit
    )
    items = [item for item in found if item.scorer != scorer.name]
    done = 0
    try:
        for start in range(0, len(items), AT_ONCE):
            done += await _one_batch(news, scorer, items[start : start + AT_ONCE])
    finally:
        _out.print(f"{scorer.name}: scored {done:,} of {len(items):,} items")


async def _one_batch(news: PostgresNews, scorer: Scorer, items: list[NewsItem]) -> int:
    sentiments = await scorer.score([Text(item.title, item.language) for item in items])
    await news.rescore(
        [(item.id, one) for item, one in zip(items, sentiments, strict=True)], scorer=scorer.name
    )
    return len(items)


async def _catalog(settings: Settings, database: Database) -> Catalog:
    secrets = StoredSecrets(
        database, Sealer(load_secret_key(settings.secret_key, settings.data_dir))
    )
    catalog = Catalog(await llm_environment(settings, secrets), builtin=BuiltinLLM())
    await catalog.prepare()
    return catalog


async def _llm_scorer(catalog: Catalog, wanted: ScoringWanted, *, keep: Keep) -> LLMScorer:
    if (wanted.at_most_usd is None) == (not wanted.unpriced):
        raise Invalid(
            "Scoring by an LLM costs money: give --max-usd AMOUNT, or --unpriced for a model of "
            "your own that nobody has a price for."
        )
    chosen = catalog.select()
    prices = PriceBook(redirected=catalog.redirected)
    await prices.prepare(chosen.provider)

    def price(usage: Usage) -> Decimal | None:
        return prices.price(chosen.provider, chosen.model, usage, at=utc_now())

    return LLMScorer(
        chosen.llm, chosen.model, price=price, at_most_usd=wanted.at_most_usd, keep=keep
    )


def usd(said: str) -> Decimal:
    """Return an amount above 0.

    Raises:
        Invalid: it is none.
    """
    try:
        amount = Decimal(said)
    except ArithmeticError:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise Invalid(f"--max-usd must be an amount above 0 such as 0.50, not {said!r}.")
    return amount
