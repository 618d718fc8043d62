"""The prediction engine: models, datasets, training and forecasts.

Front doors: `inference.cards` (what a model is), `inference.bundle` (what its artifact holds),
`inference.requests` (what is asked and answered), `inference.engine.engine` (where it runs).
"""
