"""Train one network with several workers: processes here, a cluster's, one card each or the CPU."""
