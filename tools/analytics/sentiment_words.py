"""The words the sentiment rules know. Two lists: one published, one ours.

`HENRY_*` is the list of Henry, E. (2008), "Are Investors Influenced by How Earnings Press Releases
Are Written?", Journal of Business Communication 45(4), 363-407: 104 positive and 85 negative words.
Everything else here was written for this project, about what headlines say and earnings releases do
not. Weights are judgements of about 1; only their order matters, because scores are calibrated.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HENRY_POSITIVE = _words(
    """
    positive positives success successes successful succeed succeeds succeeding succeeded
    accomplish accomplishes accomplishing accomplished accomplishment accomplishments strong
    strength strengths certain certainty definite solid excellent good leading achieve achieves
    achieved achieving achievement achievements progress progressing deliver delivers delivered
    delivering leader pleased reward rewards rewarding rewarded opportunity opportunities enjoy
    enjoys enjoying enjoyed encouraged encouraging up increase increases increasing increased rise
    rises rising rose risen improve improves improving improved improvement improvements strengthen
    strengthens strengthening strengthened stronger strongest better best more most above record
    high higher greater greatest larger largest grow grows growing grew grown growth expand expands
    expanding expanded expansion exceed exceeds exceeded exceeding beat beats beating highest
    """
)
HENRY_NEGATIVE = _words(
    """
    negative negatives fail fails failing failure weak weakness weaknesses difficult difficulty
    hurdle hurdles obstacle obstacles slump slumps slumping slumped uncertain uncertainty unsettled
    unfavorable downturn depressed disappoint disappoints disappointing disappointed disappointment
    risk risks risky threat threats penalty penalties down decrease decreases decreasing decreased
    decline declines declining declined fall falls falling fell fallen drop drops dropping dropped
    deteriorate deteriorates deteriorating deteriorated worsen worsens worsening weaken weakens
    weakening weakened worse worst low lower less least smaller smallest shrink shrinks shrinking
    shrunk below under challenge challenges challenging challenged
    lowest
    """
)
FAINT = _words(
    """
    up down above below under more most less least high low larger largest smaller smallest certain
    leading good certainty definite leader deliver delivers delivered delivering
    """
)
"""Words of the list that say little alone ("under the agreement delivers"): half a weight."""

NEWS = {
    **dict.fromkeys(
        _words(
            """
            bankruptcy bankrupt insolvent insolvency default defaults defaulted fraud fined fines
            sue sues sued lawsuit probe layoffs layoff recall recalls recalled breach breached
            halts halted suspended suspends suspend suspension collapse collapsed collapses
            plunge plunges plunged tumble tumbles tumbled sink sinks sank slide crash
            crashes crashed downgrade downgrades downgraded underperform underweight sell bearish
            warns warning warned
            dilution misleading doubt doubts failed fire fires destroyed damaged damage hacked
            outage shortage stalls stalled stall junk losing lost cancelled cancels cancelling
            dumping worthless furious useless postponing postponed delay delays delayed
            deficit impairment dispute strike accident scandal resign resigns quits quit
            withdraws withdrew pulls pulled squeezing squeezed eroding pressure broken avoid
            """
        ),
        -1.0,
    ),
    **dict.fromkeys(
        _words(
            """
            miss misses missed shortfall concern concerns worries worried slow slows slowed slower
            cooled cooling stretched cautious poor costly disruption disruptions slashes
            slashed layoffs tariffs complaint complaints rejected rejects
            """
        ),
        -0.8,
    ),
    **dict.fromkeys(
        _words(
            """
            upgrade upgraded upgrades outperform overweight bullish buyback win wins won
            surge surges surged soar soars soared rally rallies rallied rallying jump jumps jumped
            rebound rebounds rebounded bounced recovery recovers recovered recover breakthrough
            approved approval approves clears cleared tops topped boost boosts boosted
            robust brisk brightened confident confidence oversubscribed profitable
            met meets reached satisfied satisfying cheer cheers cheered crushing
            loving love impressive upside outpaced
            turnaround reopens reopened lifts lifted
            """
        ),
        1.0,
    ),
    **dict.fromkeys(
        _words(
            """
            gain gains gained climb climbs climbed advance advances advanced healthy firm upbeat
            optimistic secured secures settles settled resolved ahead attractive constructive
            comfortable popular helped well huge
            """
        ),
        0.8,
    ),
}
"""What headlines say: written for this project."""

PHRASES = {
    "no surprises": 0.0,
    "few surprises": 0.0,
    "in line with": 0.0,
    "as expected": 0.0,
    "little changed": 0.0,
    "no change": 0.0,
    "step down": 0.0,
    "steps down": 0.0,
    "stepping down": 0.0,
    "take up": 0.0,
    "set up": 0.0,
    "follow up": 0.0,
    "risks and uncertainties": 0.0,
    "subject to": 0.0,
    "less than expected": -1.6,
    "less than forecast": -1.6,
    "faster than expected": 0.4,
    "than expected": 0.0,
    "than planned": 0.0,
    "than hoped": 0.0,
    "ahead of plan": 1.0,
    "ahead of schedule": 1.2,
    "ahead of expectations": 1.2,
    "short of": -1.2,
    "falls short": -1.4,
    "fell short": -1.4,
    "fall short": -1.4,
    "going concern": -0.6,
    "substantial doubt": -1.2,
    "buy back": 1.0,
    "back to black": 1.2,
    "return to black": 1.2,
    "swings to profit": 1.4,
    "swung to profit": 1.4,
    "turned profitable": 1.3,
    "swings to loss": -1.4,
    "swung to a loss": -1.4,
    "break even": 0.6,
    "dry up": -1.3,
    "dried up": -1.3,
    "sold out": 1.2,
    "write off": -1.2,
    "write down": -1.2,
    "written off": -1.2,
    "fast track": 1.2,
    "bucks the trend": 0.8,
    "trade down": -0.8,
    "went to a competitor": -1.2,
    "went to a rival": -1.2,
    "fell through": -1.2,
    "broke down": -1.0,
    "in full": 0.6,
    "off negative watch": 1.2,
    "negative watch": -1.0,
    "one off charge": -0.8,
    "higher multiple": 0.8,
    "proved overdone": 1.2,
    "room for more": 0.8,
    "top picks": 1.0,
    "quick fix": 0.5,
    "told you so": -0.5,
    "let's go": 0.7,
    "for sale": 0.0,
    "sells stake": 0.0,
    "to the upside": 0.8,
    "to the downside": -0.8,
    "chapter 11": -1.5,
    "weighed on": -0.6,
}
"""Several words that mean something else together. 0: nothing at all."""

UPWARD = _words(
    """
    up increase increases increasing increased rise rises rising rose risen grow grows growing grew
    grown growth expand expands expanding expanded expansion higher high highest larger larger
    greater raise raises raised raising lift lifts lifted climb climbs climbed jump jumps jumped
    surge surges surged soar soars soared gain gains gained widen widens widened double doubles
    doubled triple triples tripled adds added tops topped bigger biggest peak
    """
)
DOWNWARD = _words(
    """
    down decrease decreases decreasing decreased decline declines declining declined fall falls
    falling fell fallen drop drops dropping dropped low lower lowest lowered less smaller smallest
    shrink shrinks shrinking shrunk shrank cut cuts cutting slash slashes slashed reduce reduces
    reduced halve halves halved narrow narrows narrowed tumble tumbles tumbled plunge plunges
    plunged sink sinks sank slip slips slipped dip dips dipped slide slides slid trims trimmed
    """
)
"""Which way something went; whether that is good depends on what it was."""

GOOD_THINGS = _words(
    """
    profit profits earnings revenue revenues sales income margin margins orders order backlog
    dividend dividends guidance outlook forecast forecasts target targets estimates demand output
    production shares share stock stocks price prices rating cash flow exports subscribers subs
    confidence volume volumes customers bookings growth value productivity dividend jobs result
    results numbers users headroom currency token
    """
)
BAD_THINGS = _words(
    """
    loss losses debt debts cost costs expenses churn unemployment delinquencies provisions deficit
    inflation tariffs bills defaults loans fees burn vacancies complaints redundancies inventory
    inventories arrears impairment impairments overheads injuries emissions taxes fines
    """
)
NEGATIONS = _words(
    """
    not no never none nobody nothing neither nor cannot can't don't doesn't didn't isn't wasn't
    won't wouldn't without hardly barely scarcely little lack lacks lacking less unable fails failed
    fail won't aren't weren't hasn't haven't stop stopped few fewer gone ends ended end nor
    """
)
BOOSTERS = _words(
    """
    very far much strongly sharply considerably significantly substantially heavily insane huge
    massively well deeply extremely faster fastest again steeply record ever
    """
)
DAMPENERS = _words("slightly somewhat marginally modestly partly rather only mildly")
TURNS = _words("but however yet nevertheless")
"""What comes after these weighs more than what came before."""
CONCESSIONS = _words("although though despite while whereas")
"""What follows these, up to a comma, is granted and weighs less."""
