"""Three small real data sets that come with symflow.

Their origin, columns, units and licences are in ``bundled/PROVENANCE.txt`` next to the
files.
"""

from __future__ import annotations

from importlib.resources import as_file, files

from symflow.data.dataset import Dataset
from symflow.data.table import read_table
from symflow.errors import InvalidArgument

# file and target columns; no targets: the inputs are reproduced (autoencoder)
_BUNDLED: dict[str, tuple[str, tuple[str, ...]]] = {
    "diabetes": ("diabetes.csv.gz", ("progression",)),
    "linnerud": ("linnerud.csv", ("weight", "waist", "pulse")),
    "digits": ("digits.csv.gz", ()),
}

#: Names of the bundled data sets.
BUNDLED = tuple(_BUNDLED)


def load_dataset(name: str) -> Dataset:
    """Return one of the bundled data sets, in its raw units.

    Parameters
    ----------
    name : {"diabetes", "linnerud", "digits"}
        ``"diabetes"``: 442 patients, 10 baseline variables, disease progression [1]_.
        ``"linnerud"``: 20 men, 3 exercises, 3 physiological variables [2]_.
        ``"digits"``: 1797 images of 8×8 grey values from 0 to 16, Y = X [3]_.

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
    if name not in _BUNDLED:
        known = ", ".join(repr(known) for known in _BUNDLED)
        msg = f"load_dataset(name=…): the bundled data sets are {known}; got {name!r}"
        raise InvalidArgument(msg)
    file, targets = _BUNDLED[name]
    with as_file(files("symflow.data").joinpath("bundled", file)) as path:
        if targets:
            return Dataset.from_csv(path, target=targets)
        names, values = read_table(path, "load_dataset(name=…)")
    return Dataset(values, values, inputs=names, targets=names)
