"""The invented headlines come into a desk without news, once, and leave when not wanted."""

import msgspec
import pytest

from app.settings import Settings, SettingsError
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from app.wiring.news import NewsDesk, open_news
from tools.market.demo import VENDORED
from tools.market.demo_news import SOURCE, read_demo_news


async def desk(database: Database, settings: Settings | None = None) -> NewsDesk:
    instruments = PostgresInstruments(database)
    for symbol in VENDORED.names:
        await instruments.put(VENDORED.instrument(symbol))
    return open_news(settings or Settings(), database, instruments)


async def test_they_are_loaded_once_and_marked(database: Database) -> None:
    opened = await desk(database)
    await opened.load_demo()
    await opened.load_demo()
    items = await opened.store.read()
    assert len(items) == len(read_demo_news())
    assert {(item.synthetic, item.source_name) for item in items} == {(True, SOURCE)}
    assert all(item.known_at == item.published_at for item in items)


async def test_a_desk_with_news_of_its_own_gets_none(database: Database) -> None:
    opened = await desk(database)
    own = {"sourceName": "W", "title": "One of mine", "publishedAt": "2024-05-01T10:00:00Z"}
    await opened.intake.take([msgspec.Raw(msgspec.json.encode(own))])
    await opened.load_demo()
    assert [item.title for item in await opened.store.read()] == ["One of mine"]


async def test_they_are_removed_when_they_are_not_wanted(database: Database) -> None:
    await (await desk(database)).load_demo()
    without = await desk(database, Settings(demo_news=False))
    await without.load_demo()
    assert await without.store.is_empty()


async def test_a_folder_that_holds_no_model_is_refused_at_the_start(database: Database) -> None:
    with pytest.raises(SettingsError, match=r"OUTCRY_SENTIMENT_MODEL: .* holds no model"):
        await desk(database, Settings(sentiment_model=Settings().data_dir / "nothing here"))
