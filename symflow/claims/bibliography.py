"""The papers behind the theorems, each once."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

_NEURIPS = "Advances in Neural Information Processing Systems"
_ICML = "International Conference on Machine Learning"
_ICLR = "International Conference on Learning Representations"
_AISTATS = "International Conference on Artificial Intelligence and Statistics"
_COLT = "Conference on Learning Theory"

#: Venues whose papers are contributions to proceedings.
_PROCEEDINGS = frozenset((_NEURIPS, _ICML, _ICLR, _AISTATS, _COLT))


@dataclass(frozen=True)
class Reference:
    """Where a result comes from.

    Parameters
    ----------
    authors, title, venue : str
        As one cites them.
    year : int
        Year of publication.
    arxiv : str
        Identifier, if there is one.

    Examples
    --------
    >>> print(Reference("A. Saxe, J. McClelland, S. Ganguli", "Exact …", "ICLR", 2014))
    Saxe et al. 2014
    """

    authors: str
    title: str
    venue: str
    year: int
    arxiv: str = ""

    def __str__(self) -> str:
        names = self.authors.replace(" and ", ", ").split(", ")
        first, *others = [name.split()[-1] for name in names]
        if len(others) == 1:
            return f"{first} and {others[0]} {self.year}"
        return f"{first}{' et al.' if others else ''} {self.year}"

    @property
    def bibtex(self) -> str:
        """The entry for a bibliography."""
        return self.entry()

    def entry(self, note: str = "") -> str:
        """Return the entry for a bibliography, with a note on what was taken from it.

        Parameters
        ----------
        note : str
            What the paper contributes to the result that is cited.

        Examples
        --------
        >>> print(SAXE_2014.entry("the equations; solved here").splitlines()[-2])
          note = {the equations; solved here},
        """
        names = self.authors.replace(", ", " and ")
        name = unicodedata.normalize("NFKD", str(self).split()[0].lower())
        key = f"{name.encode('ascii', 'ignore').decode()}{self.year}"
        gathered = self.venue in _PROCEEDINGS
        kind, place = (
            ("inproceedings", "booktitle") if gathered else ("article", "journal")
        )
        lines = [
            f"@{kind}{{{key},",
            f"  author = {{{names}}},",
            f"  title = {{{self.title}}},",
            f"  {place} = {{{self.venue}}},",
            f"  year = {{{self.year}}},",
        ]
        if self.arxiv:
            lines += [f"  eprint = {{{self.arxiv}}},", "  archiveprefix = {arXiv},"]
        if note:
            lines.append(f"  note = {{{note}}},")
        return "\n".join([*lines, "}"])


LOJASIEWICZ_1963 = Reference(
    "Stanisław Łojasiewicz",
    "Une propriété topologique des sous-ensembles analytiques réels",
    "Les équations aux dérivées partielles, Éditions du CNRS",
    1963,
)
SAXE_2014 = Reference(
    "Andrew M. Saxe, James L. McClelland, Surya Ganguli",
    "Exact solutions to the nonlinear dynamics of learning in deep linear "
    "neural networks",
    _ICLR,
    2014,
    "1312.6120",
)
ARORA_COHEN_HAZAN_2018 = Reference(
    "Sanjeev Arora, Nadav Cohen, Elad Hazan",
    "On the Optimization of Deep Networks: Implicit Acceleration by "
    "Overparameterization",
    _ICML,
    2018,
    "1802.06509",
)
DU_2018 = Reference(
    "Simon S. Du, Wei Hu, Jason D. Lee",
    "Algorithmic Regularization in Learning Deep Homogeneous Models: Layers are "
    "Automatically Balanced",
    _NEURIPS,
    2018,
    "1806.00900",
)
JACOT_2018 = Reference(
    "Arthur Jacot, Franck Gabriel, Clément Hongler",
    "Neural Tangent Kernel: Convergence and Generalization in Neural Networks",
    _NEURIPS,
    2018,
    "1806.07572",
)
ARORA_2019 = Reference(
    "Sanjeev Arora, Nadav Cohen, Noah Golowich, Wei Hu",
    "A Convergence Analysis of Gradient Descent for Deep Linear Neural Networks",
    _ICLR,
    2019,
    "1810.02281",
)
GIDEL_2019 = Reference(
    "Gauthier Gidel, Francis Bach, Simon Lacoste-Julien",
    "Implicit Regularization of Discrete Gradient Dynamics in Linear Neural Networks",
    _NEURIPS,
    2019,
    "1904.13262",
)
JI_TELGARSKY_2019 = Reference(
    "Ziwei Ji, Matus Telgarsky",
    "Gradient Descent Aligns the Layers of Deep Linear Networks",
    _ICLR,
    2019,
    "1810.02032",
)
EFTEKHARI_2020 = Reference(
    "Armin Eftekhari",
    "Training Linear Neural Networks: Non-Local Convergence and Complexity Results",
    _ICML,
    2020,
    "2002.09852",
)
MOROSHKO_2020 = Reference(
    "Edward Moroshko, Suriya Gunasekar, Blake Woodworth, Jason D. Lee, Nathan Srebro, "
    "Daniel Soudry",
    "Implicit Bias in Deep Linear Classification: Initialization Scale vs Training "
    "Accuracy",
    _NEURIPS,
    2020,
    "2007.06738",
)
WOODWORTH_2020 = Reference(
    "Blake Woodworth, Suriya Gunasekar, Jason D. Lee, Edward Moroshko, "
    "Pedro Savarese, Itay Golan, Daniel Soudry, Nathan Srebro",
    "Kernel and Rich Regimes in Overparametrized Models",
    _COLT,
    2020,
    "2002.09277",
)
AZULAY_2021 = Reference(
    "Shahar Azulay, Edward Moroshko, Mor Shpigel Nacson, Blake Woodworth, "
    "Nathan Srebro, Amir Globerson, Daniel Soudry",
    "On the Implicit Bias of Initialization Shape: Beyond Infinitesimal Mirror Descent",
    _ICML,
    2021,
    "2102.09769",
)
MIN_2021 = Reference(
    "Hancheng Min, Salma Tarmoun, René Vidal, Enrique Mallada",
    "On the Explicit Role of Initialization on the Convergence and Implicit Bias of "
    "Overparametrized Linear Networks",
    _ICML,
    2021,
    "2105.06351",
)
TARMOUN_2021 = Reference(
    "Salma Tarmoun, Guilherme França, Benjamin D. Haeffele, René Vidal",
    "Understanding the Dynamics of Gradient Flow in Overparameterized Linear Models",
    _ICML,
    2021,
)
YUN_2021 = Reference(
    "Chulhee Yun, Shankar Krishnan, Hossein Mobahi",
    "A Unifying View on Implicit Bias in Training Linear Neural Networks",
    _ICLR,
    2021,
    "2010.02501",
)
CHEN_2022 = Reference(
    "Kun Chen, Dachao Lin, Zhihua Zhang",
    "Global Convergence Analysis of Deep Linear Networks with A One-neuron Layer",
    "arXiv",
    2022,
    "2201.02761",
)
BERTHIER_2023 = Reference(
    "Raphaël Berthier",
    "Incremental Learning in Diagonal Linear Networks",
    "Journal of Machine Learning Research",
    2023,
    "2208.14673",
)
MARCOTTE_2023 = Reference(
    "Sibylle Marcotte, Rémi Gribonval, Gabriel Peyré",
    "Abide by the Law and Follow the Flow: Conservation Laws for Gradient Flows",
    _NEURIPS,
    2023,
    "2307.00144",
)
MIN_2023 = Reference(
    "Hancheng Min, René Vidal, Enrique Mallada",
    "On the Convergence of Gradient Flow on Multi-layer Linear Models",
    _ICML,
    2023,
)
PESME_2023 = Reference(
    "Scott Pesme, Nicolas Flammarion",
    "Saddle-to-Saddle Dynamics in Diagonal Linear Networks",
    _NEURIPS,
    2023,
    "2304.00488",
)
XU_2023 = Reference(
    "Ziqing Xu, Hancheng Min, Salma Tarmoun, Enrique Mallada, René Vidal",
    "Linear Convergence of Gradient Descent for Finite Width Over-parametrized Linear "
    "Networks with General Initialization",
    _AISTATS,
    2023,
)
MARCOTTE_2024 = Reference(
    "Sibylle Marcotte, Rémi Gribonval, Gabriel Peyré",
    "Keep the Momentum: Conservation Laws beyond Euclidean Gradient Flows",
    _ICML,
    2024,
    "2405.12888",
)
TU_2024 = Reference(
    "Zhenfeng Tu, Santiago Aranguri, Arthur Jacot",
    "Mixed Dynamics in Linear Networks: Unifying the Lazy and Active Regimes",
    _NEURIPS,
    2024,
    "2405.17580",
)
DOMINE_2025 = Reference(
    "Clémentine C. J. Dominé, Nicolas Anguita, Alexandra M. Proca, Lukas Braun, "
    "Daniel Kunin, Pedro A. M. Mediano, Andrew M. Saxe",
    "From Lazy to Rich: Exact Learning Dynamics in Deep Linear Networks",
    _ICLR,
    2025,
    "2409.14623",
)
XU_2025 = Reference(
    "Ziqing Xu, Hancheng Min, Salma Tarmoun, Enrique Mallada, René Vidal",
    "A Local Polyak-Łojasiewicz and Descent Lemma of Gradient Descent for "
    "Overparametrized Linear Models",
    _AISTATS,
    2025,
    "2505.11664",
)
