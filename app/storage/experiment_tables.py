"""Experiments between models, and how models drift."""
