"""The desk in a terminal: the same agent, journal and evidence as in the browser."""
