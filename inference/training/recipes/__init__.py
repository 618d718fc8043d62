"""One file a recipe; `inference.training.catalog` lists them."""
