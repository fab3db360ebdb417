"""Two layers or one symmetric factor on whitened input: a matrix Riccati equation."""
