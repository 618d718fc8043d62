"""Words that mean about the same, so that one example teaches all of them."""

from agents.llms.builtin.vocabulary import word_set

_CONCEPTS = {
    "moves": word_set(
        """
        volatile volatility swing swings swinging choppy jumpy nervous wild turbulent turbulence
        calm calmer calmest quiet quieter stable shaky risk risks risky riskier riskiest
        dangerous safe safer fluctuate fluctuates fluctuation fluctuations variance deviation
        bumpy erratic steady steadier unstable hectic wobbly jittery rough smooth jump jumps
        """
    ),
    "levels": word_set(
        "support supports resistance level levels floor ceiling barrier barriers bounce zone zones"
    ),
    "trend": word_set(
        """
        trend trends trending uptrend downtrend upward downward upwards downwards direction
        sideways slope steep climbing rising falling sliding declining drifting heading
        """
    ),
    "future": word_set(
        """
        will going tomorrow next forecast forecasts predict prediction predictions future expect
        expected target odds chance chances likely probability outlook shall soon recover
        recovery crash continue
        """
    ),
    "advice": word_set(
        """
        should buy buying sell selling hold invest investing investment recommend recommendation
        recommendations advise advice advisable suggest suggestion wise smart sensible
        worthwhile shorting profits money portfolio would bet
        """
    ),
    "news": word_set(
        """
        news headline headlines analysts analyst ratings sentiment twitter reddit press media
        papers newspapers reported stories mood social forum posts lawsuit merger
        """
    ),
    "reported": word_set(
        """
        earnings dividend dividends revenue revenues profit profitable sales pe pb eps valuation
        overvalued undervalued cheap expensive fundamentals fundamental debt cap capitalisation
        capitalization income equity roe payout
        """
    ),
    "elsewhere": word_set(
        """
        ceo employees inflation gdp fed interest rates bitcoin crypto oil gold currency dollar
        euro options cash insider products balance ethereum
        """
    ),
    "traded": word_set(
        "volume volumes turnover traded liquid liquidity hands busy heavy heavily activity"
    ),
    "price": word_set(
        "price priced cost costs quote quotes worth trading close closed closing opened open share"
    ),
    "performance": word_set(
        """
        return returns returned performance perform performed gain gained gains lose lost loss
        losses rose risen fell fallen dropped drop grew grown fare fared yield yielded earned
        made profit growth gone
        """
    ),
    "extreme": word_set(
        """
        high highs low lows highest lowest peak peaked top bottom record maximum minimum max min
        drawdown worst deepest range
        """
    ),
    "rank": word_set(
        """
        which best worst strongest weakest winner winners loser losers rank ranking order sort
        everything market markets leaders laggards most least
        """
    ),
    "versus": word_set(
        """
        compare compares compared comparison versus against better than difference differences
        beat beaten beats outperform outperformed outperforms correlated correlation together
        side stronger weaker contrast match relative link
        """
    ),
    "changed": word_set(
        "changed changes change different happened happening happen new update missed miss since"
    ),
    "signals": word_set(
        "signal signals entry exit breakout breakouts reversal fired fire rule rules trigger"
    ),
    "record": word_set(
        """
        accurate accuracy reliable reliability trust trustworthy right correct hit track record
        edge success rate confident certain sure rely wrong often work proven
        """
    ),
    "meaning": word_set(
        """
        mean means meaning meant define definition explain explanation calculated computed work
        works read interpret understand describe concept term
        """
    ),
    "why": word_set("why reason reasons because reasoning grounds based justify elaborate deeper"),
    "ability": word_set(
        """
        help capable abilities capabilities example examples commands use ask start features
        guide tutorial functions
        """
    ),
    "listing": word_set(
        """
        symbols symbol ticker tickers stock stocks company companies instrument instruments
        securities list available supported cover covered choose names
        """
    ),
    "provenance": word_set(
        """
        data source sources provider provides live delayed recent old fresh updated update
        realtime history dataset database come
        """
    ),
    "self": word_set(
        """
        you your yourself robot bot chatbot human machine ai gpt chatgpt llm claude model named
        person assistant
        """
    ),
    "hello": word_set("hello hi hey greetings morning afternoon evening howdy welcome hiya"),
    "thanks": word_set(
        "thanks thank appreciated appreciate cheers grateful great nice perfect awesome excellent"
    ),
    "bye": word_set("bye goodbye farewell later night tomorrow leaving ciao"),
    "outside": word_set(
        """
        weather poem joke recipe song movie football president capital cook food email code
        python essay translate ignore disregard obey forget pretend instructions prompt password
        pizza story music travel homework calculate math
        """
    ),
    "view": word_set(
        """
        look looks looking view opinion think thoughts take picture overview summary summarise
        summarize impression assessment assess analysis analyse analyze situation stand stands
        standing shape story report unusual strange odd state health healthy stand
        """
    ),
}

CONCEPTS_OF: dict[str, tuple[str, ...]] = {}
"""Word -> the ideas it stands for."""
for _concept, _words in _CONCEPTS.items():
    for _word in sorted(_words):
        CONCEPTS_OF[_word] = (*CONCEPTS_OF.get(_word, ()), _concept)
