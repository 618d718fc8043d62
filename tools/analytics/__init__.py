"""Market arithmetic on arrays: no I/O, no clock, no framework.

Front doors: `indicators.compute`, `trend.fit`, `levels.find`, `volatility.measure`,
`changes.between` and `signals.study`. Each takes arrays that end at the bar it speaks about; what
is after that bar is never handed in.
"""
