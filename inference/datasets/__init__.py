"""Data that models learn from: features, profile, quality, splits, steps, versions."""
