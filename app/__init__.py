"""The server: all that people and programs connect to. Front doors: `main.create_app`, `cli`."""
