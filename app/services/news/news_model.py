"""Score news with the desk's own model of the task "sentiment": its champion, whichever that is.

The champion is looked up for each batch, so that a promotion counts from the next headline on. Its
name and version are stored with every score. Where no label is sure enough it may abstain.
"""

from collections.abc import Sequence

from app.services.predictions.prediction_ports import BundleReader, ModelBook, PredictionEngine
from inference.bundle import Bundle
from inference.cards import ModelCard
from inference.errors import InferenceError
from inference.requests import Answers, Rows
from tools.analytics import sentiment
from tools.analytics.sentiment import Sentiment
from tools.market.scorer import UNKNOWN, ScoringFailed, Text

TASK = "sentiment"
DEADLINE_S = 60.0
AT_ONCE = 256
_LABELS = ("positive", "neutral", "negative")
_COLUMNS = ("text", "lexicon_score")


class NewsModel:
    """Implements `tools.market.scorer.Scorer`."""

    def __init__(
        self,
        models: ModelBook,
        bundles: BundleReader,
        engine: PredictionEngine,
        *,
        abstain_below: float = 0.0,
    ) -> None:
        """Remember whom to ask; below `abstain_below` it says that it does not know."""
        self._models = models
        self._bundles = bundles
        self._engine = engine
        self._abstain_below = abstain_below
        self._name = "nlp"

    @property
    def name(self) -> str:
        """Which model and version scored last."""
        return self._name

    async def score(self, texts: Sequence[Text]) -> list[Sentiment]:
        """Return what the champion says, of English; nothing is claimed about other languages.

        Raises:
            ScoringFailed: there is no champion, or it could not answer.
        """
        card, bundle, artifact = await self._champion()
        readable = [one.text for one in texts if one.language.lower().startswith("en")]
        found: list[Sentiment] = []
        for start in range(0, len(readable), AT_ONCE):
            try:
                answers = await self._engine.predict(
                    artifact,
                    rows_of(readable[start : start + AT_ONCE], bundle),
                    deadline_s=DEADLINE_S,
                    priority="batch",
                )
            except InferenceError as failed:
                raise ScoringFailed(f"{card.name}@{card.version}: {failed}") from failed
            found += self._sentiments(card, answers)
        self._name = f"nlp:{card.name}@{card.version}"
        said = iter(found)
        return [next(said) if one.language.lower().startswith("en") else UNKNOWN for one in texts]

    async def _champion(self) -> tuple[ModelCard, Bundle, str]:
        card = await self._models.champion(TASK)
        if card is None or card.runs_as is None:
            raise ScoringFailed(
                "No model of the task 'sentiment' is deployed, so that nothing scores the news. "
                "Train one (outcry train news_sentiment --texts FILE --deploy), or unset "
                "OUTCRY_SENTIMENT_MODEL."
            )
        try:
            bundle = await self._bundles(card)
        except InferenceError as failed:
            raise ScoringFailed(f"{card.name}@{card.version}: {failed}") from failed
        strange = [one.name for one in bundle.inputs if one.required and one.name not in _COLUMNS]
        if strange:
            raise ScoringFailed(
                f"{card.name}@{card.version} reads {', '.join(strange)}; a model of news can read "
                f"{' and '.join(_COLUMNS)}."
            )
        return card, bundle, card.runs_as

    def _sentiments(self, card: ModelCard, answers: Answers) -> list[Sentiment]:
        if answers.probabilities is None or set(answers.classes) != set(_LABELS):
            raise ScoringFailed(
                f"{card.name}@{card.version} answers {', '.join(answers.classes) or 'no labels'}; "
                f"it must answer {', '.join(_LABELS)}."
            )
        places = [answers.classes.index(label) for label in _LABELS]
        found = [
            Sentiment(float(row[places[0]]), float(row[places[1]]), float(row[places[2]]))
            for row in answers.probabilities
        ]
        return [one if one.confidence >= self._abstain_below else UNKNOWN for one in found]


def rows_of(texts: Sequence[str], bundle: Bundle) -> Rows:
    """Return the texts as the columns that the model reads."""
    wanted = [one.name for one in bundle.inputs]
    made: list[dict[str, str | float]] = []
    for text in texts:
        row: dict[str, str | float] = {}
        if "text" in wanted:
            row["text"] = text
        if "lexicon_score" in wanted:
            row["lexicon_score"] = sentiment.score(text).score
        made.append(row)
    return Rows.of(made)
