"""What runs a model: one file per framework and per remote protocol."""
