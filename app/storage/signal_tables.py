"""Signals and how they turned out."""
