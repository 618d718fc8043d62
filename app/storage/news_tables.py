"""News with its sentiment, and fundamentals."""
