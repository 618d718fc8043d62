"""`/features`: the feature store, its views and their values now and then."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from app.domain.errors import Invalid
from app.domain.features import FeatureCard, FeatureValues, HistoricValues
from app.domain.jobs import Job
from app.domain.principal import Principal
from app.rest.requests import Body
from app.rest.sign_in import may_administer, may_read
from app.services.datasets.feature_materializing import FeatureMaterializing
from app.services.datasets.feature_store import DEFAULT_TTL_S, FeatureStore, FeatureWish

MOST_LISTED = 1_000
MOST_PAIRS = 200
"""In one address; the command line takes files of pairs."""


class FeatureBody(Body, frozen=True):
    """A view over a dataset."""

    name: str
    dataset: str
    description: str = ""
    entity: str | None = None
    time: str | None = None
    known: str | None = None
    columns: tuple[str, ...] = ()
    ttl_seconds: float = DEFAULT_TTL_S
    lag_seconds: float = 0.0


class Cards(msgspec.Struct, frozen=True):
    """Every view, and where its values stand."""

    items: list[FeatureCard]


class OnlineValues(msgspec.Struct, frozen=True):
    """What is served of a view."""

    view: str
    items: list[FeatureValues]
    card: FeatureCard | None = None
    """The view itself, where no entities were named."""


class History(msgspec.Struct, frozen=True):
    """What stood at some moments."""

    view: str
    items: list[HistoricValues]


class FeaturesController(Controller):
    """Everybody may read features; administrators declare and materialise views."""

    path = "/features"
    tags = ("Features",)

    @get("/", guards=[may_read], summary="Feature views")
    async def cards(self, features: NamedDependency[FeatureStore]) -> Cards:
        """Return every view with its freshness and row counts."""
        return Cards(await features.cards())

    @post("/", guards=[may_administer], summary="Declare a view over a dataset")
    async def declare(
        self,
        data: JSONBody[FeatureBody],
        principal: NamedDependency[Principal],
        features: NamedDependency[FeatureStore],
    ) -> FeatureCard:
        """Keep a view; another meaning under a name is its next version."""
        wish = FeatureWish(**{name: getattr(data, name) for name in data.__struct_fields__})
        made = await features.declare(wish, by=principal.user_id)
        return await features.card(made.key)

    @get("/{view:str}", guards=[may_read], summary="What is served now")
    async def values(
        self,
        view: FromPath[str],
        features: NamedDependency[FeatureStore],
        entities: Annotated[str | None, QueryParameter(name="entities")] = None,
        after: Annotated[str, QueryParameter(name="after")] = "",
        limit: Annotated[int, QueryParameter(name="limit", ge=1, le=MOST_LISTED)] = 100,
    ) -> OnlineValues:
        """Return the newest values of `entities` (commas between them), or of the first ones
        behind `after`."""
        definition = await features.definition(view)
        if entities is not None:
            asked = _listed(entities)
            return OnlineValues(definition.key, await features.values(definition, asked))
        found = await features.page(definition, after=after, limit=limit)
        return OnlineValues(definition.key, found, await features.card(definition.key))

    @post(
        "/{view:str}/materialize",
        status_code=202,
        guards=[may_administer],
        summary="Compute and serve what is new",
    )
    async def materialize(
        self,
        view: FromPath[str],
        principal: NamedDependency[Principal],
        materializing: NamedDependency[FeatureMaterializing],
    ) -> Job:
        """Queue a materialisation and return its job."""
        return await materializing.submit(view, by=principal.user_id)

    @get("/{view:str}/history", guards=[may_read], summary="What stood at some moments")
    async def history(
        self,
        view: FromPath[str],
        features: NamedDependency[FeatureStore],
        at: Annotated[str, QueryParameter(name="at")],
    ) -> History:
        """Return, for each `ENTITY@TIME` (commas between them), what was known by then."""
        pairs = [pair_of(one) for one in _listed(at)]
        if len(pairs) > MOST_PAIRS:
            raise Invalid(f"`at` may name {MOST_PAIRS} moments at most.")
        definition = await features.definition(view)
        return History(definition.key, await features.history(definition, pairs))


def _listed(said: str) -> list[str]:
    return [one for one in said.split(",") if one]


def pair_of(said: str) -> tuple[str, datetime]:
    """Return an entity and a moment; a time without a zone is UTC.

    Raises:
        Invalid: it is not written so.
    """
    entity, sign, time = said.rpartition("@")
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        sign = ""
    if not sign or not entity:
        raise Invalid(f"`at` is ENTITY@TIME, as GOOG@2026-03-02T21:00:00Z; not {said[:100]!r}.")
    return entity, moment if moment.tzinfo else moment.replace(tzinfo=UTC)
