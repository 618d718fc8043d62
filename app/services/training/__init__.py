"""Training: from data to a judged version, and whether it serves."""
