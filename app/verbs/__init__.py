"""The verbs of the `outcry` command, one file a subject; `app.cli` joins them."""
