"""Conversations become answers. Front doors: `runner.Runner`, `events`, `messages`."""
