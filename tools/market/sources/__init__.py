"""Where bars come from: files, databases and vendors, behind one protocol (`source.BarSource`).

A source only reads. It finds the columns, turns text into numbers and times without guessing, and
leaves judging to `tools.market.checks` and storing to the desk's one intake.
"""
