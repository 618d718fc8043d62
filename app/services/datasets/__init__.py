"""Datasets and the feature store: collected, described, materialised."""
