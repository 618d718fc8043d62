"""The registry of models: made, moved, asked, watched."""
