"""What texts are about: topics from a fixed list, keywords from the texts themselves. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

_WORD = re.compile(r"[^\W\d_][\w&'.-]*[\w]|[^\W\d_]")
MOST_TOPICS = 4
MOST_KEYWORDS = 8

TOPICS: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "earnings": "earnings profit profits loss losses revenue sales margin margins results "
        "quarter eps income operating",
        "guidance": "guidance outlook forecast forecasts warns warning expects raises lowers",
        "dividends and buybacks": "dividend dividends buyback buybacks repurchase payout",
        "mergers and deals": "merger mergers acquisition acquires acquire takeover bid stake deal "
        "spin-off divests buyout",
        "products": "product products launch launches launched release released unveils device "
        "phone software chip chips service app trial drug",
        "law and regulation": "lawsuit court judge regulator regulators regulation antitrust probe "
        "fine fined patent settlement investigation sec",
        "management": "ceo cfo chief executive chairman board director resigns appoints",
        "ratings": "upgrade upgraded downgrade downgraded target rating buy sell hold overweight "
        "underweight outperform underperform analyst analysts",
        "jobs": "jobs layoffs hiring staff workers employees strike union",
        "supply": "supply supplier suppliers shortage production factory plant output capacity "
        "inventory shipments",
        "financing": "debt bond bonds loan loans credit refinancing bankruptcy capital offering "
        "junk cash",
        "competition": "competition competitor competitors rival rivals market-share share",
        "economy": "inflation unemployment economy central rates tariffs tariff gdp consumer "
        "exports",
        "security": "breach hack hacked outage privacy",
    }.items()
}

_STOP_WORDS = """
    a about above after again against ago all also although am an and any are as at be because been
    before being below between both but by can could did do does doing down during each few for from
    further had has have having he her here him his how i if in into is it its just may me might
    more most much must my no nor not now of off on once only or other our out over own per said
    same say says see she should so some still such than that the their them then there these they
    this those through to too under until up upon us very was we were what when where which while
    who whom why will with would you your new year years week weeks day days month months today
    inc corp corporation company co plc ltd group holdings percent per cent million billion vs
    amid among set sets get gets one two three first last next
    """
STOP = frozenset(_STOP_WORDS.split())


def words(text: str) -> list[str]:
    """Return the words of a text in small letters, as they come."""
    plain = text.lower().replace("\u2019", "'")
    return [found.group().strip(".'").removesuffix("'s") for found in _WORD.finditer(plain)]


def topics(text: str) -> tuple[str, ...]:
    """Return what a text is about, most words first; nothing when no topic is named."""
    said = {part for word in words(text) for part in (word, *word.split("-"))}
    hits = {name: len(said & listed) for name, listed in TOPICS.items()}
    named = [name for name in TOPICS if hits[name]]
    return tuple(sorted(named, key=lambda name: -hits[name])[:MOST_TOPICS])


def keywords(
    texts: Sequence[str], *, without: Iterable[str] = (), most: int = MOST_KEYWORDS
) -> tuple[str, ...]:
    """Return the words that most of the texts share, commonest first; ties in order of the text.

    `without`: words that say nothing here, such as the company's own name.
    """
    left_out = STOP | {part for name in without for part in words(name)}
    counts: Counter[str] = Counter()
    for text in texts:
        fit = dict.fromkeys(word for word in words(text) if len(word) > 2)
        counts.update([word for word in fit if word not in left_out])
    return tuple(word for word, _ in counts.most_common(most))


def common_topics(found: Iterable[Sequence[str]], *, most: int = MOST_TOPICS) -> tuple[str, ...]:
    """Return the topics that most texts name, commonest first."""
    counts: Counter[str] = Counter()
    for one in found:
        counts.update(list(dict.fromkeys(one)))
    return tuple(name for name, _ in counts.most_common(most))
