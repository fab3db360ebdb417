"""Small real data sets that come with symflow.

Their origin, columns, units and licences are in ``bundled/PROVENANCE.txt`` next to the
files.
"""

from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np

from symflow.algebra.arrays import Array
from symflow.data.dataset import Dataset
from symflow.data.table import read_table
from symflow.errors import one_of

# file and target columns; no targets: the inputs are reproduced (autoencoder)
_BUNDLED: dict[str, tuple[str, tuple[str, ...]]] = {
    "diabetes": ("diabetes.csv.gz", ("progression",)),
    "linnerud": ("linnerud.csv", ("weight", "waist", "pulse")),
    "digits": ("digits.csv.gz", ()),
    "digit_classes": ("digits.csv.gz", tuple(f"is_{digit}" for digit in range(10))),
}

_LABELS = "digit_labels.csv.gz"

#: Names of the bundled data sets.
BUNDLED = tuple(_BUNDLED)


def load_dataset(name: str) -> Dataset:
    """Return one of the bundled data sets, in its raw units.

    Parameters
    ----------
    name : {"diabetes", "linnerud", "digits", "digit_classes"}
        ``"diabetes"``: 442 patients, 10 baseline variables, disease progression [1]_.
        ``"linnerud"``: 20 men, 3 exercises, 3 physiological variables [2]_.
        ``"digits"``: 1797 images of 8×8 grey values from 0 to 16, Y = X [3]_.
        ``"digit_classes"``: the same images; Y has a one in the column of the digit
        that is shown, and zeros, so that classification is a regression [3]_.

    Returns
    -------
    Dataset
        Not standardized; see `Dataset.standardized`.

    Raises
    ------
    InvalidArgument
        If there is no such data set.

    References
    ----------
    .. [1] B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, "Least Angle Regression",
       Annals of Statistics 32 (2004) 407.
    .. [2] M. Tenenhaus, "La régression PLS: théorie et pratique", Technic, 1998.
    .. [3] E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI
       Machine Learning Repository, 1998.

    Examples
    --------
    >>> data = load_dataset("diabetes")
    >>> data.n, data.d, data.m, float(data.Y.mean().round(2))
    (442, 10, 1, 152.13)
    """
    file, targets = _BUNDLED[one_of(name, _BUNDLED, "load_dataset(name=…)")]
    if file == "digits.csv.gz":
        names, images = _table(file)
        shown = _one_hot(len(targets)) if targets else images
        return Dataset(images, shown, inputs=names, targets=targets or names)
    with as_file(files("symflow.data").joinpath("bundled", file)) as path:
        return Dataset.from_csv(path, target=targets)


def _table(file: str) -> tuple[tuple[str, ...], Array]:
    """Return the columns of a bundled file, and its values."""
    with as_file(files("symflow.data").joinpath("bundled", file)) as path:
        names, values = read_table(path, "load_dataset(name=…)")
    return tuple(names), values


def _one_hot(classes: int) -> Array:
    """Return a row of zeros and a one for every label of the digits."""
    _, labels = _table(_LABELS)
    return np.asarray(np.eye(classes)[labels[:, 0].astype(int)])
