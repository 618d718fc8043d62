"""How a forecast is judged: losses, walk-forward, comparison with a baseline, skill."""
