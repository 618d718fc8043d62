"""vLLM beside the desk: which flags a model needs, and on what it can run. It starts nothing."""
