"""Models that run on other servers: `runtime.py` is the door, one file a protocol behind it."""
