"""Numbers of laws in closed form."""

from __future__ import annotations


def two_layer_count(d, h, m):
    """Return the number of independent laws of the network d–h–m.

    The fields act on the stacked (d + m)×h matrix by the symmetric matrices that mix
    both blocks, whose brackets generate so(d, m); with k = d + m there are h(h+1)/2
    laws for h ≤ k and kh − k(k−1)/2 for h ≥ k, the generic number of independent
    entries of the imbalance.
    """
    k = d + m
    return h * (h + 1) // 2 if h <= k else k * h - k * (k - 1) // 2
