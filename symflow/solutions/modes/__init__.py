"""Spectral starts: every mode of W(t) follows a scalar equation."""
