"""The prediction engine: models, datasets and forecasts. It is not built yet; see the README."""
