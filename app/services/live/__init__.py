"""Live prices: from stored bars to what people see of them."""
