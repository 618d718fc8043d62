"""Market data: the one way bars and statements get in, and what is read of them."""
