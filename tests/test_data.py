"""Data: samples and moments, exact or float, files, and the bundled data sets."""

from __future__ import annotations

import gzip
import os
import pickle
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sympy

import symflow
from symflow.data import Dataset, Moments, load_dataset, whitened
from symflow.errors import InvalidArgument, InvalidData, ShapeMismatch

PACKAGE = Path(str(symflow.__file__)).parent
THIRD = Fraction(1, 3)


def write(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


# samples


def test_moments_of_samples_match_sums_over_samples() -> None:
    rng = np.random.default_rng(1)
    X, Y = rng.standard_normal((7, 3)), rng.standard_normal((7, 2))
    moments = Dataset(X, Y).moments()
    pairs = list(zip(X, Y, strict=True))
    mean = {
        "xx": sum(np.outer(x, x) for x, _ in pairs) / 7,
        "yx": sum(np.outer(y, x) for x, y in pairs) / 7,
        "yy": sum(np.outer(y, y) for _, y in pairs) / 7,
    }
    for name, expected in mean.items():
        # seven terms of size one: a few units of the last place
        np.testing.assert_allclose(
            getattr(moments, f"sigma_{name}"), expected, atol=1e-14
        )
    assert (moments.n, moments.d, moments.m, moments.exact) == (7, 3, 2, False)


def test_moments_are_computed_once_and_are_their_own_moments() -> None:
    data = Dataset([1.0, 2.0], [3.0, 4.0])
    assert data.moments() is data.moments()
    assert data.moments().moments() is data.moments()


def test_integer_samples_are_floats_and_fractions_are_exact() -> None:
    assert Dataset([[1, 2], [3, 4]], [1, 2]).X.dtype == np.float64
    frame = pd.DataFrame({"a": [1, 2]}, dtype="Int64")
    assert Dataset(frame, [1, 2]).X.dtype == np.float64
    exact = Dataset([[THIRD, 2], [3, 4]], [1, 2])
    assert exact.exact
    assert exact.Y[0, 0] == sympy.Integer(1)
    assert exact.moments().sigma_xx[0, 0] == sympy.Rational(41, 9)


def test_a_float_anywhere_makes_all_floats() -> None:
    data = Dataset([[THIRD], [sympy.sqrt(2)]], [0.5, 1.0])
    assert data.X.dtype == data.Y.dtype == np.float64
    assert data.X[0, 0] == 1 / 3


def test_frames_and_series_keep_their_names() -> None:
    frame = pd.DataFrame({"dose": [1.0, 2.0], "age": [3.0, 5.0]})
    data = Dataset(frame, pd.Series([1.0, 0.0], name="effect"))
    assert (data.inputs, data.targets) == (("dose", "age"), ("effect",))
    assert data.standardized().inputs == ("dose", "age")
    unnamed = Dataset(np.eye(2), np.eye(2))
    assert (unnamed.inputs, unnamed.targets) == (("x1", "x2"), ("y1", "y2"))
    assert Dataset(frame, [1.0, 2.0], inputs=["a", "b"], targets="c").targets == ("c",)


def test_samples_do_not_follow_the_arrays_they_came_from() -> None:
    X = np.eye(2)
    data = Dataset(X, X)
    X[0, 0] = 7.0
    assert data.X[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        data.X[0, 0] = 7.0
    with pytest.raises(AttributeError):
        data.X = X  # type: ignore[misc]


def test_a_dataset_survives_pickling() -> None:
    data = Dataset([[THIRD], [1]], [2, 5])
    copy = pickle.loads(pickle.dumps(data))
    assert (copy.X == data.X).all()
    assert copy.targets == data.targets


def test_standardized_float_columns_have_mean_zero_and_variance_one() -> None:
    data = load_dataset("diabetes").standardized()
    assert abs(data.X.mean(axis=0)).max() < 1e-13
    np.testing.assert_allclose(np.diag(data.moments().sigma_xx), 1.0, rtol=1e-13)
    np.testing.assert_allclose(data.moments().sigma_yy, [[1.0]], rtol=1e-13)


def test_standardized_exact_columns_have_variance_exactly_one() -> None:
    X = [[THIRD, 5], [2, 1], [7, -2]]
    moments = Dataset(X, [1, 2, 5]).standardized().moments()
    assert moments.exact
    assert list(np.diag(moments.sigma_xx)) == [1, 1]
    columns = np.array(X, dtype=float).T
    assert float(moments.sigma_xx[0, 1]) == pytest.approx(np.corrcoef(columns)[0, 1])


def test_centered_exact_data_have_mean_exactly_zero() -> None:
    centered = Dataset([THIRD, 2, 3], [1, 2, 4]).centered()
    assert centered.X.sum() == 0
    assert centered.Y[0, 0] == sympy.Rational(-4, 3)


def test_a_constant_column_cannot_be_standardized_and_is_named() -> None:
    data = Dataset([[1.0, 0.1], [2.0, 0.1], [4.0, 0.1]], [1.0, 2.0, 3.0])
    with pytest.raises(InvalidData, match=r"column 'x2' is constant \(0\.1\)"):
        data.standardized()
    with pytest.raises(InvalidData, match="column 'y1' is constant"):
        Dataset([THIRD, 2], [1, 1]).standardized()


def test_unusable_samples_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match="3 rows of X and 2 rows of Y"):
        Dataset(np.eye(3), [1.0, 2.0])
    with pytest.raises(
        InvalidData, match=r"Dataset\(X=…\): the entry in row 0, column 1"
    ):
        Dataset([[1.0, np.nan]], [1.0])
    with pytest.raises(InvalidData, match=r"Dataset\(Y=…\): entry 'a' is not a number"):
        Dataset([[1.0]], [["a"]])
    with pytest.raises(InvalidData, match=r"Dataset\(X=…\): a finite number is needed"):
        Dataset([[THIRD, float("nan")]], [1.0])
    with pytest.raises(InvalidData, match="needs a finite real number; got nan"):
        Dataset([[sympy.nan]], [1])
    with pytest.raises(ShapeMismatch, match="non-empty matrix"):
        Dataset(np.empty((0, 2)), [])
    with pytest.raises(ShapeMismatch, match="got 1 names for 2 columns"):
        Dataset(np.eye(2), [1.0, 2.0], inputs=["a"])


def test_repr_is_a_status_sheet() -> None:
    lines = repr(load_dataset("diabetes")).splitlines()
    assert lines[0] == "Dataset of 442 samples, 10 inputs, 1 target, float64"
    assert " ".join(lines[-1].split()) == ("Y progression 152.1 77.01 25 346")
    assert "… and 52 more columns" in repr(load_dataset("digits"))


# files


def test_a_file_is_read_with_names_and_in_the_order_asked(tmp_path: Path) -> None:
    text = "\ufeffa, b ,c\r\n1,2,3\r\n\r\n4, 5e0,-6\r\n"
    data = Dataset.from_csv(write(tmp_path, text), target=["c", "a"])
    assert (data.inputs, data.targets) == (("b",), ("c", "a"))
    assert data.Y.tolist() == [[3.0, 1.0], [-6.0, 4.0]]
    assert data.X.tolist() == [[2.0], [5.0]]


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n3,4\n"))
    assert Dataset.from_csv(path, target="b").Y.tolist() == [[2.0], [4.0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'table.csv' is empty; a header line"),
        ("1,2\n3,4\n", "'table.csv' has no header: its first line holds numbers only"),
        ("a,\n1,2\n", "column 2 has no name in the header"),
        ("a,y,a\n1,2,3\n", "the header names column 'a' twice"),
        ("a,b\n1,2\n3,4\n", "no column 'y'; the columns are 'a', 'b'"),
        ("y\n1\n2\n", r"inputs: none is left; the columns are 'y'"),
        ("a,y\n1,2\n", "needs at least 2 usable rows below the header; got 1"),
        ("a,y\n1,2\n3,4,5\n", "line 3: 3 cells where the header has 2 columns"),
        ("a,y\n1,2\n3\n", "line 3: 1 cells where the header has 2 columns"),
        ("a,y\n1,2\n3,red\n", "line 3, column 'y': 'red' is not a number"),
        ("a,y\n1,2\n3,1_000\n", "line 3, column 'y': '1_000' is not a number"),
        ("a,y\n1,2\n,4\n", "line 3, column 'a': the cell is empty"),
        ("a,y\n1,2\nnan,4\n", "line 3, column 'a': 'nan' is not a finite number"),
        ("a,y\n1,2\n3,-inf\n", "line 3, column 'y': '-inf' is not a finite number"),
        ('a,y\n1,"2\n', "cannot be read as comma separated text: unexpected end"),
    ],
)
def test_an_unusable_file_ends_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InvalidData, match=message) as caught:
        Dataset.from_csv(write(tmp_path, text), target="y")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["drop", "mean"])
def test_a_file_with_gaps_is_what_pandas_reads(tmp_path: Path, missing: str) -> None:
    path = write(tmp_path, "id,a,b,y\nr,1,,2\ns,NA,3,4\nt,5,NaN,6\nu,7,8,9\nv,2,5,5\n")
    data = Dataset.from_csv(path, "y", "id", missing)
    frame = Dataset.from_frame(pd.read_csv(path), "y", drop="id", missing=missing)
    assert data.inputs == frame.inputs == ("a", "b")
    assert np.array_equal(data.X, frame.X)
    assert np.array_equal(data.Y, frame.Y)
    with pytest.raises(InvalidData, match="line 2, column 'b': the cell is empty"):
        Dataset.from_csv(path, "y", "id")
    with pytest.raises(InvalidData, match="1 of 'a'"):
        Dataset.from_csv(path, "a", ["id", "y"], missing="mean")
    with pytest.raises(InvalidData, match="got 1"):
        Dataset.from_csv(write(tmp_path, "a,y\n1,2\n,4\n", "b.csv"), "y", (), "drop")
    with pytest.raises(InvalidData, match="'y' is a target or dropped, too"):
        Dataset.from_csv(path, "y", ["id", "y"], "mean")
    with pytest.raises(InvalidArgument, match="one of refuse, drop, mean; got 'zero'"):
        Dataset.from_csv(path, "y", "id", "zero")


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"there is no file '.*nowhere\.csv'"):
        Dataset.from_csv(tmp_path / "nowhere.csv", target="y")
    with pytest.raises(InvalidData, match=r"'t\.csv\.gz' cannot be read .*gzip"):
        Dataset.from_csv(write(tmp_path, "a,y\n1,2\n", "t.csv.gz"), target="y")
    truncated = tmp_path / "cut.csv.gz"
    truncated.write_bytes(gzip.compress(b"a,y\n1,2\n" * 99)[:-20])
    with pytest.raises(InvalidData, match=r"'cut\.csv\.gz' cannot be read"):
        Dataset.from_csv(truncated, target="y")
    binary = tmp_path / "b.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidData, match=r"'b\.csv' cannot be read"):
        Dataset.from_csv(binary, target="y")
    with pytest.raises(InvalidData, match="cannot be read"):
        Dataset.from_csv(tmp_path, target="y")


def test_targets_have_to_be_named_once(tmp_path: Path) -> None:
    path = write(tmp_path, "a,y\n1,2\n3,4\n")
    with pytest.raises(InvalidArgument, match=r"at least one column.*got \[\]"):
        Dataset.from_csv(path, target=[])
    with pytest.raises(InvalidArgument, match=r"each once; got \['y', 'y'\]"):
        Dataset.from_csv(path, target=["y", "y"])


# moments


def test_moments_are_exact_only_if_all_parts_are() -> None:
    exact = Moments([[2, 1], [1, 2]], sympy.Matrix([[THIRD, sympy.sqrt(2)]]), n=4)
    assert exact.exact
    assert exact.sigma_yx[0, 1] ** 2 == 2
    mixed = Moments([[2, 1], [1, 2]], [[0.5, 1.0]])
    assert not mixed.exact
    assert mixed.sigma_xx.dtype == np.float64


def test_nearly_symmetric_floats_are_made_symmetric() -> None:
    matrix = np.array([[1.0, 0.3], [0.3 * (1 + 1e-15), 1.0]])
    moments = Moments(matrix, [[1.0, 0.0]])
    assert (moments.sigma_xx == moments.sigma_xx.T).all()


def test_symmetry_of_irrational_entries_is_decided_by_value() -> None:
    root = sympy.sqrt(2) + sympy.sqrt(3)
    same = sympy.sqrt(5 + 2 * sympy.sqrt(6))
    assert Moments([[16, root], [same, 16]], [[1, 0]]).exact


@pytest.mark.parametrize("kind", [float, sympy.Rational])
def test_asymmetric_and_indefinite_matrices_are_refused(kind: type) -> None:
    def matrix(*rows: list[int]) -> np.ndarray:
        return np.array([[kind(entry) for entry in row] for row in rows])

    row = matrix([1, 0])
    with pytest.raises(InvalidData, match=r"sigma_xx=…\): needs a symmetric matrix"):
        Moments(matrix([1, 2], [0, 1]), row)
    with pytest.raises(InvalidData, match=r"sigma_xx=…\).*negative eigenvalue -1"):
        Moments(matrix([1, 2], [2, 1]), row)
    with pytest.raises(InvalidData, match=r"sigma_yy=…\).*negative eigenvalue -1"):
        Moments(matrix([1, 0], [0, 1]), row, matrix([-1]))
    with pytest.raises(InvalidData, match="no data have these moments"):
        Moments(matrix([1, 0], [0, 1]), matrix([3, 0]), matrix([1]))


def test_definiteness_of_irrational_moments_is_decided_beyond_float() -> None:
    tiny = sympy.Rational(1, 10**20) * sympy.sqrt(2)
    root = sympy.sqrt(2)
    assert Moments([[root, root], [root, root]], [[1, 1]]).exact
    with pytest.raises(InvalidData, match="negative eigenvalue"):
        Moments([[root, root + tiny], [root + tiny, root]], [[1, 1]])


def test_exactly_singular_rational_moments_are_accepted() -> None:
    rng = np.random.default_rng(3)
    factor = [
        [Fraction(int(v), 97) for v in row] for row in rng.integers(-99, 99, (10, 6))
    ]
    half = np.array(factor)
    moments = Moments(half @ half.T, (half @ half.T)[:2])
    assert moments.exact
    assert sympy.Matrix(moments.sigma_xx.tolist()).rank() == 6


def test_rational_definiteness_sees_what_floats_cannot() -> None:
    one, below = sympy.Integer(1), 1 - sympy.Rational(1, 10**30)
    with pytest.raises(InvalidData, match="negative eigenvalue"):
        Moments([[below, one], [one, one]], [[1, 1]])


def test_moments_of_wrong_shape_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match=r"needs a 3×3 matrix .* 1×3 .*; got 2×2"):
        Moments(np.eye(2), [[1.0, 2.0, 3.0]])
    with pytest.raises(ShapeMismatch, match=r"Moments\(sigma_yy=…\): needs a 1×1"):
        Moments(np.eye(2), [[1.0, 2.0]], np.eye(2))


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "3"])
def test_the_number_of_samples_is_a_positive_integer(count: object) -> None:
    with pytest.raises(
        InvalidArgument,
        match=r"Moments\(n=…\), the number of samples: needs an integer",
    ):
        Moments(np.eye(1), [[1.0]], n=count)  # type: ignore[arg-type]


def test_whitened_moments_are_exact_if_the_correlation_is() -> None:
    exact = whitened([[3, 0, THIRD], [0, 1, 0]])
    assert exact.exact
    assert exact.sigma_xx.tolist() == np.eye(3, dtype=int).tolist()
    assert exact.sigma_yy.tolist() == [[9 + THIRD**2, 0], [0, 1]]
    assert whitened(sympy.Matrix([[sympy.sqrt(2)]])).exact
    assert whitened([[0.5, 1]]).sigma_xx.dtype == np.float64


def test_moments_repr_is_a_status_sheet() -> None:
    text = repr(Moments([[1, 0], [0, 1]], [[3, 0], [0, 1]]))
    assert text.splitlines()[0] == "Moments of 2 inputs and 2 targets, exact numbers"
    assert "Σ_yy  not given" in text


def test_the_loss_of_whitened_moments_is_the_distance_from_the_target() -> None:
    flow = symflow.gradient_flow(symflow.LinearNetwork(2, 2), symflow.SquaredLoss())
    run = symflow.simulate(flow, whitened([[3, 0], [0, 1]]), [[[1, 2], [3, 4]]], [0])
    assert run.loss.tolist() == [(4 + 4 + 9 + 9) / 2]


# bundled data, against published numbers


def test_diabetes_is_the_least_angle_regression_data() -> None:
    data = load_dataset("diabetes")
    assert (data.n, data.d, data.m) == (442, 10, 1)
    assert " ".join(data.inputs) == "age sex bmi bp s1 s2 s3 s4 s5 s6"
    # Efron et al. 2004, Table 1: the first and the last patient
    first = [59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.9, 87]
    np.testing.assert_allclose(data.X[0], first, atol=0.05)
    np.testing.assert_allclose(
        data.X[-1], [36, 1, 19.6, 71, 250, 133.2, 97, 3, 4.6, 92], atol=0.05
    )
    assert (data.Y[0, 0], data.Y[-1, 0]) == (151, 57)
    assert data.Y.mean() == pytest.approx(152.13, abs=0.005)
    assert (data.X[:, 0].min(), data.X[:, 0].max()) == (19, 79)


def test_diabetes_least_squares_explains_half_of_the_variance() -> None:
    moments = load_dataset("diabetes").standardized().moments()
    fit = np.linalg.solve(moments.sigma_xx, moments.sigma_yx.T)
    # R² = 0.5177, the published value of the full linear model
    assert (moments.sigma_yx @ fit).item() == pytest.approx(0.5177, abs=5e-5)


def test_linnerud_has_the_published_canonical_correlations() -> None:
    data = load_dataset("linnerud")
    assert data.inputs == ("chins", "situps", "jumps")
    assert data.targets == ("weight", "waist", "pulse")
    np.testing.assert_allclose(data.X.mean(axis=0), [9.45, 145.55, 70.3], rtol=1e-12)
    np.testing.assert_allclose(data.Y.mean(axis=0), [178.6, 35.4, 56.1], rtol=1e-12)
    moments = data.standardized().moments()
    assert moments.sigma_yx[1, 1] == pytest.approx(-0.6456, abs=5e-5)
    product = np.linalg.solve(moments.sigma_xx, moments.sigma_yx.T) @ np.linalg.solve(
        moments.sigma_yy, moments.sigma_yx
    )
    correlations = np.sqrt(np.sort(np.linalg.eigvals(product).real)[::-1])
    # SAS/STAT, PROC CANCORR, Example "Canonical Correlation Analysis"
    np.testing.assert_allclose(correlations, [0.795608, 0.200556, 0.072570], atol=5e-7)


def test_digits_are_the_uci_test_images() -> None:
    data = load_dataset("digits")
    assert (data.n, data.d, data.m) == (1797, 64, 64)
    assert (data.Y == data.X).all()
    assert (data.X.min(), data.X.max(), data.X.sum()) == (0, 16, 561718)
    assert data.inputs[9] == data.targets[9] == "pixel_1_1"
    variances = np.linalg.eigvalsh(data.centered().moments().sigma_xx)
    # explained variance ratio of the first principal component, widely published
    assert variances[-1] / variances.sum() == pytest.approx(0.14890594, abs=5e-9)


def test_digit_classes_are_one_hot_labels_of_the_same_images() -> None:
    data = load_dataset("digit_classes")
    assert (data.X == load_dataset("digits").X).all()
    assert data.targets[3] == "is_3"
    assert (data.Y.sum(axis=1) == 1).all()
    # class sizes as the UCI repository states them for the test set
    assert data.Y.sum(axis=0).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip


def test_bundled_files_are_small_and_have_their_provenance() -> None:
    folder = PACKAGE / "data" / "bundled"
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert max(sizes.values()) < 100_000
    provenance = (folder / "PROVENANCE.txt").read_text()
    for name in sizes.keys() - {"PROVENANCE.txt", "LICENSE-scikit-learn.txt"}:
        assert name in provenance
        if name.endswith(".gz"):
            assert (folder / name).read_bytes()[4:8] == b"\0\0\0\0"


def test_bundled_data_load_from_a_zip_archive(tmp_path: Path) -> None:
    archive = shutil.make_archive(
        str(tmp_path / "symflow"), "zip", PACKAGE.parent, PACKAGE.name
    )
    code = (
        "import symflow; from symflow.data import load_dataset as load;"
        "print('.zip' in symflow.__file__, load('linnerud').X.sum())"
    )
    environment = {**os.environ, "PYTHONPATH": archive}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "True 4506.0"


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(
        InvalidArgument, match="linnerud, digits, digit_classes; got 'i"
    ):
        load_dataset("iris")


def test_moments_that_are_missing_are_refused():
    with pytest.raises(InvalidArgument, match="sigma_yx"):
        Moments([[1]], None)
