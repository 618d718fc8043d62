"""Serving: batching, admission, the worker process, and the way from a row to an answer."""
