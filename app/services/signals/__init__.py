"""Signals kept up to date with the bars."""
