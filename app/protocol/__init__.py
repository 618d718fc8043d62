"""The chat protocol without I/O: frames, how they are read and written, and what they lead to."""
