"""Numbers of an answer against the tool results they came from."""

import re
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.claims import Claim, Evidence, find_claims
from agents.claims.mentions import NumberMention, find_mentions


def evidence(
    data: dict[str, Any],
    *,
    tool: str = "indicators",
    arguments: dict[str, Any] | None = None,
    units: dict[str, str] | None = None,
    as_of: str | None = "2013-03-01T00:00:00Z",
    call: str = "call-1",
) -> Evidence:
    result = {"data": data, "asOf": as_of, "source": "a test", "units": units or {}, "summary": ""}
    return Evidence(tool_call_id=call, tool=tool, arguments=arguments or {}, result=result)


GOOG = evidence(
    {
        "symbol": "GOOG",
        "name": "Google Inc. (now Alphabet)",
        "close": 806.19,
        "volume": 12_345_678.0,
        "changePercent": -3.2187,
        "rsi": {"value": 67.83, "period": 14, "percentileRank": 91.37},
        "movingAverages": {"sma50": 742.1149, "sma200": 668.5},
        "trend": {"slope": 1.8877, "r2": 0.9132, "closes": 50},
        "volatility": {"days20": {"dailyPercent": 1.3087}, "low": 0.9, "high": 1.91},
        "hitRate": 0.5274,
        "n": 3582,
        "startedOn": "2012-03-05",
        "notes": ["the 50-day average crossed above the 200-day on 8 May 2012"],
    },
    arguments={"symbol": "GOOG", "limit": 500, "from": "2012-03-01"},
    units={
        "close": "USD", "changePercent": "%", "percentileRank": "%", "value": "index 0-100",
        "volume": "shares", "dailyPercent": "%", "hitRate": "fraction", "n": "past cases",
    },
)  # fmt: skip
MSFT = evidence(
    {"symbol": "MSFT", "close": 27.95, "rsi": {"value": 56.01, "period": 14}, "changePercent": 1.1},
    call="call-2",
    units={"close": "USD", "changePercent": "%"},
)


def status(text: str, shown: str, *sources: Evidence) -> tuple[str, str | None]:
    claims = [claim for claim in find_claims(text, sources or (GOOG,)) if claim.text == shown]
    assert claims, f"{shown!r} was not read in {text!r}"
    return claims[0].status, claims[0].path


@pytest.mark.parametrize(
    ("text", "shown", "path"),
    [
        ("GOOG closed at 806.19.", "806.19", "/data/close"),
        ("GOOG closed at $806.19.", "$806.19", "/data/close"),
        ("GOOG closed at 806 USD.", "806 USD", "/data/close"),
        ("The close was about 806.2.", "806.2", "/data/close"),
        ("RSI is 68.", "68", "/data/rsi/value"),
        ("RSI stands at **67.8**, which is high.", "67.8", "/data/rsi/value"),
        ("That RSI is higher than on 91 % of days.", "91 %", "/data/rsi/percentileRank"),
        ("RSI percentile: 91.4%", "91.4%", "/data/rsi/percentileRank"),
        ("GOOG fell 3.2 % that day.", "3.2 %", "/data/changePercent"),
        ("GOOG's change was −3.2%.", "−3.2%", "/data/changePercent"),
        ("The change: -3.22 percent", "-3.22 percent", "/data/changePercent"),
        ("Volume was 12.3 million shares.", "12.3 million", "/data/volume"),
        ("Volume was 12.3M.", "12.3M", "/data/volume"),
        ("Volume: 12,345,678 shares", "12,345,678", "/data/volume"),
        ("About 12,300,000 shares were traded; volume was high.", "12,300,000", "/data/volume"),
        ("The 50-day line stands at 742.11.", "742.11", "/data/movingAverages/sma50"),
        ("The trend's slope is 1.9 a day.", "1.9", "/data/trend/slope"),
        ("The fit is good (R² 0.91).", "0.91", "/data/trend/r2"),
        ("It was right 53 % of the time.", "53 %", "/data/hitRate"),
        ("It was right 52.7% of the time.", "52.7%", "/data/hitRate"),
        ("right more often than not (n 3,582)", "3,582", "/data/n"),
        ("right more often than not (n=3582)", "3582", "/data/n"),
        ("daily volatility 1.3 %, from 0.9–1.9", "1.3 %", "/data/volatility/days20/dailyPercent"),
        ("As of 1 March 2013 it was so.", "1 March 2013", "/asOf"),
        ("As of March 1st, 2013 it was so.", "March 1st, 2013", "/asOf"),
        ("As of 2013-03-01 it was so.", "2013-03-01", "/asOf"),
        ("As of March 2013 it was so.", "March 2013", "/asOf"),
        ("The data ends in 2013.", "2013", "/asOf"),
        ("It started on 5 March 2012.", "5 March 2012", "/data/startedOn"),
        ("The averages crossed on 8 May 2012.", "8 May 2012", "/data/notes/0"),
        ("`806.19` was the close.", "806.19", "/data/close"),
    ],
)
def test_a_number_is_supported_by_the_value_it_was_rounded_from(
    text: str, shown: str, path: str
) -> None:
    assert status(text, shown) == ("supported", path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The RSI (14) is high.", "14"),
        ("RSI 14 is high.", "14"),
        ("Above its 50-day average.", "50"),
        ("Above its 50- and 200-day averages.", "50"),
        ("Above its 50/200-day averages.", "200"),
        ("I read the last 500 bars.", "500"),
        ("I read 500 bars.", "500"),
        ("A line through the last 50 closes.", "50"),
        ("Since 1 March 2012 it rose.", "1 March 2012"),
    ],
)
def test_what_was_asked_for_is_a_parameter(text: str, shown: str) -> None:
    assert status(text, shown)[0] == "parameter"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GOOG closed at 807.19.", "807.19"),
        ("GOOG closed at 806.20.", "806.20"),
        ("RSI is 67.", "67"),
        ("RSI is 91.", "91"),
        ("GOOG rose 3.2 % that day.", "3.2 %"),
        ("GOOG's change was +3.2 %.", "+3.2 %"),
        ("I expect 900 by summer.", "900"),
        ("There are 14 reasons to like it.", "14"),
        ("Above its 100-day average.", "100"),
        ("It closed there on 2 March 2013.", "2 March 2013"),
        ("In 1987 it crashed.", "1987"),
        ("The volume was 12.4 million.", "12.4 million"),
        ("The close was 806.19 %.", "806.19 %"),
        ("It was right $0.53 of the time.", "$0.53"),
        ("Closed at 806.19.1 or so, v806.19.2", "none"),
    ][:-1],
)
def test_what_no_tool_gave_is_unverified(text: str, shown: str) -> None:
    assert status(text, shown)[0] == "unverified"


def test_a_number_belongs_to_the_instrument_that_is_named() -> None:
    both = (GOOG, MSFT)
    text = "GOOG's RSI is 56 and MSFT's is 68."
    assert [claim.status for claim in find_claims(text, both)] == ["unverified", "unverified"]
    text = "GOOG's RSI is 68 and MSFT's is 56."
    assert [claim.path for claim in find_claims(text, both)] == ["/data/rsi/value"] * 2
    assert [claim.tool_call_id for claim in find_claims(text, both)] == ["call-1", "call-2"]
    text = "The RSI is 68 for GOOG, 56 for MSFT."
    assert [claim.tool_call_id for claim in find_claims(text, both)] == ["call-1", "call-2"]
    text = "Google's RSI is 56."
    assert find_claims(text, both)[0].status == "unverified"
    text = "GOOG and MSFT closed at 806.19 and 27.95."
    assert [claim.status for claim in find_claims(text, both)] == ["supported", "supported"]


def test_cells_of_a_table_belong_to_their_row_and_column() -> None:
    text = (
        "| | GOOG | MSFT |\n|---|--:|--:|\n| RSI | 68 | 56 |\n| Close | 806.19 | 27.95 |\n"
        "| Change | -3.2 % | 1.1 % |\n"
    )
    claims = find_claims(text, [GOOG, MSFT])
    assert [claim.status for claim in claims] == ["supported"] * 6
    swapped = text.replace("| 68 | 56 |", "| 56 | 68 |")
    assert [claim.status for claim in find_claims(swapped, [GOOG, MSFT])][:2] == ["unverified"] * 2
    rows = "| Symbol | RSI | Close |\n|---|---|---|\n| GOOG | 68 | 806.19 |\n| MSFT | 56 | 27.95 |"
    assert {claim.status for claim in find_claims(rows, [GOOG, MSFT])} == {"supported"}


def test_two_values_that_fit_equally_well_support_nothing() -> None:
    twins = evidence({"alpha": {"score": 1.31}, "omega": {"score": 1.29}})
    assert status("The score is 1.3.", "1.3", twins)[0] == "unverified"
    assert status("The alpha score is 1.3.", "1.3", twins) == ("supported", "/data/alpha/score")
    assert status("The omega score is 1.3.", "1.3", twins) == ("supported", "/data/omega/score")


def test_the_same_value_in_two_places_is_no_contradiction() -> None:
    twice = evidence({"rsi": 67.83, "technicals": {"rsi": 67.83}})
    assert status("RSI is 68.", "68", twice)[0] == "supported"


def test_a_long_list_supports_only_the_row_that_is_named() -> None:
    bars = [
        {"date": f"2013-01-{day:02d}", "close": 700.0 + day, "volume": 1000.0 * day}
        for day in range(1, 29)
    ]
    source = evidence({"symbol": "GOOG", "bars": bars}, as_of="2013-01-28T00:00:00Z")
    assert status("On 7 January 2013 it closed at 707.", "707", source)[0] == "supported"
    assert status("On 8 January 2013 it closed at 707.", "707", source)[0] == "unverified"
    assert status("It closed at 728.", "728", source) == ("supported", "/data/bars/27/close")
    assert status("It closed at 707.", "707", source)[0] == "unverified"


@pytest.mark.parametrize(
    "text",
    [
        "1. First\n2. Second\n10) Tenth",
        "> 1. quoted\n- 2. odd",
        "## 3. A heading",
        "As said[1] and again[^12].",
        "See [the page](https://example.org/2013/03/01?x=806.19).",
        "https://example.org/806.19 and www.example.org/14",
        "```python\nprice = 806.19\n```",
        "~~~\n806.19\n~~~",
        "Run `sma50(806.19, 14)` yourself.",
        "GPT-4 and sma50 and RSI14 and v2 and H1",
        "the 1st, 2nd, 3rd and 20th time",
        "The S&P 500 and the Nasdaq 100",
        "version 1.2.3 at 127.0.0.1",
        "x² and R² and 10⁴"[:9],
        "<b id='14'>bold</b>",
    ],
)
def test_what_is_not_said_as_a_number_is_no_claim(text: str) -> None:
    assert find_claims(text, [GOOG]) == []


def test_a_claim_carries_all_a_reader_needs() -> None:
    claim = find_claims("RSI is 68.", [GOOG])[0]
    assert claim == Claim(
        index=1,
        start=7,
        end=9,
        text="68",
        status="supported",
        value=67.83,
        tool_call_id="call-1",
        tool="indicators",
        path="/data/rsi/value",
        label="GOOG RSI",
        unit="index 0-100",
        as_of=datetime(2013, 3, 1, tzinfo=UTC),
        source="a test",
    )


def test_offsets_count_code_points_also_behind_emoji_and_combining_marks() -> None:
    text = "📈📉 ÄÖÜ e\u0301 \U0001f1e9\U0001f1ea RSI is 68."
    claim = find_claims(text, [GOOG])[0]
    assert text[claim.start : claim.end] == "68"


def test_keys_with_slashes_are_escaped_in_pointers() -> None:
    source = evidence({"a/b": {"c~d": 4711.5}})
    assert find_claims("The value is 4711.5.", [source])[0].path == "/data/a~1b/c~0d"


def test_decimals_sent_as_strings_count_as_numbers() -> None:
    source = evidence({"close": "806.19"})
    claim = find_claims("It closed at 806.2.", [source])[0]
    assert (claim.status, claim.value) == ("supported", "806.19")


LLM_PROSE = """Google (GOOG) finished the session at **$806.19** on March 1, 2013, down 3.2% \
on the day. Momentum remains firm: the 14-day RSI reads 67.8 — above 91% of readings in the past \
five years — while price holds well above the 50-day (742.11) and 200-day (668.50) moving averages.

1. **Trend**: slope of +1.89/day with R² = 0.91.
2. **Volume**: ~12.3 million shares.
3. **Track record**: similar set-ups worked 52.7% of the time over 3,582 cases.

I would put fair value near $850 (a 5.4% upside), though RSI could reach 75."""


def test_prose_of_a_large_model_is_read_as_a_person_reads_it() -> None:
    statuses = {claim.text: claim.status for claim in find_claims(LLM_PROSE, [GOOG])}
    assert statuses == {
        "$806.19": "supported", "March 1, 2013": "supported", "3.2%": "supported",
        "14": "parameter", "67.8": "supported", "91%": "supported", "50": "parameter",
        "742.11": "supported", "200": "parameter", "668.50": "supported", "+1.89": "supported",
        "0.91": "supported", "12.3 million": "supported", "52.7%": "supported",
        "3,582": "supported", "$850": "unverified", "5.4%": "unverified", "75": "unverified",
    }  # fmt: skip


# Properties -------------------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-10_000_000, 10_000_000),
    st.floats(-1e7, 1e7, allow_nan=False).map(lambda value: round(value, 6)),
    st.floats(0, 1, allow_nan=False),
)
KEYS = st.sampled_from(
    ["close", "rsi", "value", "hitRate", "n", "sma50", "volume", "changePercent", "low", "high"]
)
DATA = st.recursive(
    st.dictionaries(KEYS, NUMBERS, max_size=6),
    lambda inner: st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
WORDS = st.sampled_from(
    ["RSI", "is", "closed at", "GOOG", "fell", "rose", "%", "million", "the 50-day", "average", "n",
     "volume", ".", ",", "(", ")", "high", "low", "|", "\n", "-", "–", "$", "about", "hit rate"]
)  # fmt: skip
SHOWN = NUMBERS.map(lambda value: f"{value:,.2f}" if isinstance(value, float) else f"{value:,}")
TEXTS = st.lists(st.one_of(WORDS, SHOWN), max_size=30).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS, DATA)
def test_a_supported_value_rounds_to_the_number_that_is_shown(
    text: str, data: dict[str, Any]
) -> None:
    mentions = {mention.start: mention for mention in find_mentions(text)}
    for claim in find_claims(text, [evidence(data, units={"changePercent": "%"})]):
        if claim.status != "supported" or isinstance(claim.value, str):
            continue
        mention = mentions[claim.start]
        if not isinstance(mention, NumberMention):
            continue
        value = abs(Decimal(repr(claim.value)))
        step = mention.step
        if mention.approximate:
            while mention.shown and mention.shown % (step * 10) == 0:
                step *= 10
        assert any(abs(value * factor - mention.shown) <= step / 2 for factor in (1, 100, 10_000))


@settings(max_examples=300, deadline=None)
@given(st.one_of(TEXTS, st.text(max_size=300)), DATA)
def test_spans_are_the_text_they_say_and_never_overlap(text: str, data: dict[str, Any]) -> None:
    claims = find_claims(text, [evidence(data)])
    end = 0
    for number, claim in enumerate(claims, start=1):
        assert claim.index == number
        assert claim.start >= end
        assert claim.start < claim.end
        assert text[claim.start : claim.end] == claim.text
        assert re.search(r"\d", claim.text)
        end = claim.end
    assert claims == find_claims(text, [evidence(data)])


@settings(max_examples=200, deadline=None)
@given(
    st.dates(date(1950, 1, 1), date(2049, 12, 31)), st.dates(date(1950, 1, 1), date(2049, 12, 31))
)
def test_a_date_is_supported_exactly_when_it_is_the_day(said: date, known: date) -> None:
    source = evidence({"on": known.isoformat()}, as_of=None)
    for text in (f"{said.day} {said:%B} {said.year}", f"{said:%B} {said.day}, {said.year}",
                 said.isoformat(), f"{said.day} {said:%b} {said.year}"):  # fmt: skip
        claims = find_claims(f"It happened on {text}.", [source])
        assert [claim.text for claim in claims] == [text]
        assert (claims[0].status == "supported") == (said == known)


# Hostile text -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece",
    ["1", "1 ", "1,", "1.", "1-", "(1", "|1", "`1", "[1](", "1 March ", "$1 ", "1:", "<1",
     "```1", "é1 ", "GOOG ", "GOOG,GOOG and ", "- 1 % ", "９", "1e", "1 000 ", "\u202e1 ", "50/",
     "last 5 ", "RSI 68. "],
)  # fmt: skip
def test_work_grows_with_the_length_of_the_text_and_not_faster(piece: str) -> None:
    def steps(length: int) -> float:
        text = (piece * (length // len(piece) + 1))[:length]
        best = min(_timed(text) for _ in range(2))
        return best

    short, long = steps(4_000), steps(32_000)
    # Eight times the text; a quadratic reader would need sixty-four times as long.
    assert long < 24 * max(short, 0.02)


def _timed(text: str) -> float:
    start = time.process_time()
    find_claims(text, [GOOG, MSFT])
    return time.process_time() - start


def test_enormous_and_malformed_evidence_is_survived() -> None:
    deep: dict[str, Any] = {"close": 5.0}
    for _ in range(400):
        deep = {"next": deep}
    wide = {f"key{index}": float(index) for index in range(60_000)}
    odd = Evidence(
        tool_call_id="x", tool="t", arguments={}, result={"data": [1, "x", None], "units": 7}
    )
    claims = find_claims("It is 806.19 and 59999.", [evidence(deep), evidence(wide), odd])
    assert len(claims) == 2


def test_of_two_values_that_round_alike_the_plainer_name_is_meant() -> None:
    result = {
        "data": {
            "instruments": [
                {"symbol": "NVDA", "changePercent": 209.3055, "totalReturnPercent": 209.4947}
            ]
        },
        "asOf": "2023-09-21T00:00:00Z",
        "source": "x",
        "units": {"changePercent": "%", "totalReturnPercent": "%"},
    }
    text = (
        "NVDA rose 209 %.\n\n| | NVDA |\n|---|---|\n| Change | +209 % |\n| Total return | +209 % |"
    )
    paths = [claim.path for claim in find_claims(text, [Evidence("c", "compare", {}, result)])]
    change, total = "/data/instruments/0/changePercent", "/data/instruments/0/totalReturnPercent"
    assert paths == [change, change, total]


def test_a_share_that_is_named_by_a_number_is_no_number() -> None:
    claims = find_claims("000338.SZ and 0700.HK closed at 13.53; it paid 1234.", [])
    assert [claim.text for claim in claims] == ["13.53", "1234"]
