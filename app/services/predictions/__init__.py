"""Predictions: asked for, answered with baseline and confidence, settled."""
