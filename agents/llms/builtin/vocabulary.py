"""Word lists: common English, words that are no tickers, and words that give a language away."""


def word_set(words: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(words.split())


COMMON = word_set(
    """
    a about above actually after again against agent ago ah all almost alone along already also
    although always am an and another any anybody anyone anything april are around as ask at
    august average averages away back bad band bands be became because become been before begin
    behind being below best better between big boring bot both bought bring bro buddy but buy by
    call came can cannot case chart charts check clear close closed code cold come coming company
    could crazy current currently data date day days dear december desk did different difficult
    dinner do does doing done down dude during each early either else email end enough er essay
    even ever every everybody everyone everything exactly exciting face fact far fast february
    feel few figure find fine first folks football for form found four friday from full further
    gave general get getting give given go goes going gone good google got great guys had half
    happen happened happening hard has have having he head heard held hello help her here high
    higher him his hmm hold home hope hot how however huge i idea if important in indeed index
    insane inside instead interested into is it item its itself january joke july june just keep
    kind knew know known large last late lately later latest learn least leave left less let level
    like line lines list little long longer look looked looking lot low lower lunch madam made
    main make makes making man many march market markets massive mate matter may maybe me mean
    means might mind mine model moment monday money month months more most move moved movie much
    must my name near nearly need never new next nice no nobody none nor not nothing november now
    nowadays number numbers october of off often oh ok okay old on once one only open opinion or
    order other others our out over overall own part past people per perhaps person picture pizza
    place plan please poem point possible present presently pretty previous price prices probably
    problem program put python question questions quick quickly quite rather read ready real
    really reason recent recently recipe right rise risen run safe said same saturday saw say says
    second see seem seemed seems seen sell sense september set several shall share shares she
    short should show shown side signal since sir small so sold some somebody someone something
    sometimes song soon sorry sort speak stand start state still stock stocks stop strength strong
    such sudden suddenly sunday suppose sure take taken talk tell term than thank thanks that the
    their them then there these they thing things think third this those though thought three
    through thursday time times tiny to today together told tomorrow tonight too took top toward
    traded trader trading trend tried true try trying tuesday turn two type uh um under understand
    until up upon us use used useful using usual usually value very view want wanted was watch way
    we weak weaker weakness weather wednesday week weeks well went were what whatever when where
    whether which while who whole whom whose why will wish with within without wonder word words
    work worked world worse worst worth would wow write wrong year years yes yesterday yet you
    young your yours
    """
)
"""English words; whatever is neither here nor in the examples may be the name of something."""

NOT_SYMBOLS = word_set(
    """
    ADX AI AM API ASAP ATH ATR BB BTC BTW CCI CEO CFO CPI CSV DMA DR DROP EMA EPS ETF ETH EU EUR
    FALSE FAQ FED FYI GBP GDP GPT IMO IND IPO JPY JSON LLM MA MACD MFI MTD NAN NASDAQ NULL NYSE
    OBV OHLC OHLCV OK PE PERIOD PM PS RSI SEC SELECT SMA SYM TABLE TL TLDR TRUE UK US USD UTC VS
    VWAP YTD
    """
)
"""Capitals that are not tickers."""

ENGLISH = word_set(
    """
    a about an and any are be buy can compare did do does for going good has have hello hi how i
    in is it its last look looks me much my not now of on or over price right should show since
    tell than thanks that the there this to today was were what which why will with year you
    """
)
"""Small words that show a sentence to be English."""

FOREIGN: dict[str, frozenset[str]] = {
    "German": word_set(
        """
        wie ist der die das und nicht was steht sieht aus heute kurs aktie ein eine für mit von
        auf im gerade ich soll kaufen wird bitte zeige warum welche hallo danke gibt es zu dem den
        """
    ),
    "French": word_set(
        """
        comment est le la les et quel quelle cours des du une pour avec sur dans que faut acheter
        aujourd hui va pourquoi bonjour merci qui je se porte action un
        """
    ),
    "Spanish": word_set(
        """
        como cómo está el la los las y que qué cuál precio de del una para con por sobre hoy
        acción debo comprar va hola gracias puedo porque es un en
        """
    ),
    "Italian": word_set(
        """
        come sta il lo gli e che quale prezzo di del della una per con su oggi azione devo
        comprare ciao grazie perché è un dove va
        """
    ),
    "Portuguese": word_set(
        """
        como está o os as e que qual preço do da uma para com por sobre hoje ação devo comprar olá
        obrigado porque é um onde vai
        """
    ),
    "Dutch": word_set(
        """
        hoe is de het en wat koers van een voor met op vandaag moet ik kopen gaat waarom hallo
        bedankt staat er uit ziet
        """
    ),
}
"""Small words of other languages, those that are English too left out where one reads them."""
