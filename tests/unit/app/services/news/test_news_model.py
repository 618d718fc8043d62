"""News is scored by the champion of its task, or not at all; who scored is written down."""

import uuid
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import pytest

from app.services.news.news_model import NewsModel, rows_of
from inference.bundle import Bundle, Head, InputColumn, Member
from inference.cards import ModelCard, ModelParameters, ModelPerformance
from inference.errors import DeadlineExceeded
from inference.requests import Answers, Rows
from tools.market.scorer import UNKNOWN, ScoringFailed, Text

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = ("negative", "neutral", "positive")


def card(version: str = "3") -> ModelCard:
    return ModelCard(
        id=uuid.uuid4(),
        name="news-sentiment",
        version=version,
        type="nlp",
        framework="scikit_learn",
        architecture="",
        parameters=ModelParameters(),
        performance=ModelPerformance(),
        status="deployed",
        training_dataset_id=None,
        validation_metrics={},
        created_by=None,
        trained_at=NOW,
        created_at=NOW,
        updated_at=NOW,
        artifact="ab" * 32,
        task="sentiment",
    )


def bundle(*columns: str) -> Bundle:
    return Bundle(
        name="news_sentiment",
        recipe="news_sentiment",
        task="sentiment",
        model_type="nlp",
        framework="scikit_learn",
        inputs=tuple(
            InputColumn(name=name, kind="text" if name == "text" else "numeric") for name in columns
        ),
        members=(Member(name="tfidf", runtime="scikit_learn"),),
        head=Head(kind="classes", classes=LABELS),
    )


class Desk:
    """A registry, its bundles and an engine that says what it is told to."""

    def __init__(self, *columns: str, labels: tuple[str, ...] = LABELS) -> None:
        self.card: ModelCard | None = card()
        self.bundle = bundle(*columns)
        self.labels = labels
        self.asked: list[Rows] = []
        self.late = False

    async def find(self, ref: str) -> ModelCard:
        raise AssertionError(ref)

    async def champion(
        self, task: str, *, timeframe: str | None = None, horizon: int | None = None
    ) -> ModelCard | None:
        assert task == "sentiment"
        return self.card

    async def __call__(self, card: ModelCard) -> Bundle:
        return self.bundle

    async def predict(
        self,
        artifact: str,
        rows: Rows,
        *,
        deadline_s: float,
        priority: Literal["interactive", "batch"] = "interactive",
        explain: bool = False,
    ) -> Answers:
        if self.late:
            raise DeadlineExceeded("it was not ready in 60 s")
        self.asked.append(rows)
        sure = np.array([[0.1, 0.2, 0.7] if "rise" in text else [0.5, 0.3, 0.2]
                         for text in rows.texts["text"]])  # fmt: skip
        return Answers(("x",) * len(rows), probabilities=sure, classes=self.labels)

    def scorer(self, *, abstain_below: float = 0.0) -> NewsModel:
        return NewsModel(self, self, self, abstain_below=abstain_below)


async def test_probabilities_land_at_their_labels_and_the_model_is_named() -> None:
    desk = Desk("text", "lexicon_score")
    scorer = desk.scorer()
    good, foreign, bad = await scorer.score(
        [Text("Sales rise"), Text("Les ventes", "fr"), Text("Sales fall")]
    )
    assert (good.positive, good.neutral, good.negative) == (0.7, 0.2, 0.1)
    assert bad.label == "negative"
    assert foreign == UNKNOWN
    assert scorer.name == "nlp:news-sentiment@3"
    assert desk.asked[0].names == ("lexicon_score",)
    assert desk.asked[0].numbers[0, 0] > desk.asked[0].numbers[1, 0]
    desk.card = card("4")
    await scorer.score([Text("Sales rise")])
    assert scorer.name == "nlp:news-sentiment@4"


async def test_it_abstains_below_the_confidence_asked_for() -> None:
    sure, unsure = (
        await Desk("text").scorer(abstain_below=0.6).score([Text("Sales rise"), Text("Sales fall")])
    )
    assert sure.label == "positive"
    assert unsure == UNKNOWN


async def test_without_a_champion_nothing_is_scored_and_the_way_out_is_said() -> None:
    desk = Desk("text")
    desk.card = None
    with pytest.raises(ScoringFailed, match="outcry train news_sentiment --texts FILE --deploy"):
        await desk.scorer().score([Text("Sales rise")])


async def test_a_model_that_fails_or_does_not_fit_is_named() -> None:
    desk = Desk("text")
    desk.late = True
    with pytest.raises(ScoringFailed, match="news-sentiment@3: it was not ready"):
        await desk.scorer().score([Text("Sales rise")])
    with pytest.raises(ScoringFailed, match="reads price"):
        await Desk("text", "price").scorer().score([Text("Sales rise")])
    with pytest.raises(ScoringFailed, match="it must answer positive, neutral, negative"):
        await Desk("text", labels=("a", "b", "c")).scorer().score([Text("Sales rise")])


def test_only_what_the_model_reads_is_sent() -> None:
    assert rows_of(["Sales rise"], bundle("text")).names == ()
    assert rows_of(["Sales rise"], bundle("lexicon_score")).texts == {}
