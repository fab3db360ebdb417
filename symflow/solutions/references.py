"""Where the closed forms come from."""

from __future__ import annotations

from symflow.claims import Reference

SAXE = Reference(
    "Andrew M. Saxe, James L. McClelland, Surya Ganguli",
    "Exact solutions to the nonlinear dynamics of learning in deep linear "
    "neural networks",
    "International Conference on Learning Representations",
    2014,
    "1312.6120",
)
GIDEL = Reference(
    "Gauthier Gidel, Francis Bach, Simon Lacoste-Julien",
    "Implicit regularization of discrete gradient dynamics in linear neural networks",
    "Advances in Neural Information Processing Systems",
    2019,
    "1904.13262",
)
DOMINE = Reference(
    "Clémentine C. J. Dominé, Nicolas Anguita, Alexandra M. Proca, Lukas Braun, "
    "Daniel Kunin, Pedro A. M. Mediano, Andrew M. Saxe",
    "From lazy to rich: exact learning dynamics in deep linear networks",
    "International Conference on Learning Representations",
    2025,
    "2409.14623",
)
TARMOUN = Reference(
    "Salma Tarmoun, Guilherme França, Benjamin D. Haeffele, René Vidal",
    "Understanding the dynamics of gradient flow in overparameterized linear models",
    "International Conference on Machine Learning",
    2021,
)
EFTEKHARI = Reference(
    "Armin Eftekhari",
    "Training linear neural networks: non-local convergence and complexity results",
    "International Conference on Machine Learning",
    2020,
    "2002.09852",
)
WOODWORTH = Reference(
    "Blake Woodworth, Suriya Gunasekar, Jason D. Lee, Edward Moroshko, "
    "Pedro Savarese, Itay Golan, Daniel Soudry, Nathan Srebro",
    "Kernel and rich regimes in overparametrized models",
    "Conference on Learning Theory",
    2020,
    "2002.09277",
)
