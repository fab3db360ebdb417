"""A standing adversary: degenerate problems, and routes that share no code."""
