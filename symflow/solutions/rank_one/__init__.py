"""Balanced starts of rank one, whitened input: Oja's flow, Bernoulli's equation."""
