"""News: the one way in, and how it sounds."""
