"""What recipes fit: the models, and the naive ones they have to beat."""
