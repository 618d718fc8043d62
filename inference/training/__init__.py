"""How models are made and judged: recipes, baselines, walk-forward evaluation, backends."""
