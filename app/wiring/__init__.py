"""The one place where implementations meet. Front door: `desk.open_desk`."""
