"""Tables, tensors and sparse matrices as data, and whitened inputs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sympy

import symflow as sf
from symflow.algebra.arrays import to_float_array

THIRD = Fraction(1, 3)


def frame(**columns):
    known = {"id": ["a", "b", "c"], "dose": [1.0, 2.0, 4.0], "y": [1.0, 0.0, 3.0]}
    return pd.DataFrame({**known, **columns})


def take(table, *args, **options):
    return sf.Dataset.from_frame(table, *args, **options)


def test_columns_become_inputs_and_targets_by_name():
    table = frame(yes=[True, False, True], whole=[1, 2, 3])
    data = take(table, "y", drop="id")
    assert (data.inputs, data.targets) == (("dose", "yes", "whole"), ("y",))
    assert data.X.tolist() == [[1, 1, 1], [2, 0, 2], [4, 1, 3]]
    chosen = take(table, target=["whole", "y"], inputs=["yes", "dose"])
    assert chosen.X.tolist() == [[1, 1], [0, 2], [1, 4]]
    assert chosen.targets == ("whole", "y")
    assert take(pd.DataFrame([[1, 2], [3, 4]]), 1).inputs == ("0",)


def test_fractions_in_a_table_stay_exact_beside_integers():
    table = pd.DataFrame({"a": [THIRD, Fraction(1, 2)], "b": [1, 2], "y": [1, 2]})
    data = take(table, "y")
    assert data.exact
    assert data.X.tolist() == [[sympy.Rational(1, 3), 1], [sympy.Rational(1, 2), 2]]


def test_missing_numbers_are_refused_left_out_or_filled():
    table = frame(
        a=pd.array([1, None, 3], dtype="Int64"),
        b=[None, 5.0, np.nan],
        y=[1.0, 2.0, None],
    ).drop(columns="id")
    with pytest.raises(
        sf.InvalidData, match="numbers are missing, 1 of 'a', 2 of 'b', 1 of 'y'"
    ):
        take(table, "y")
    filled = take(table, "dose", inputs=["a", "b"], missing="mean")
    assert filled.X.tolist() == [[1, 5], [2, 5], [3, 5]]
    left = take(table, "dose", inputs=["a"], missing="drop")
    assert left.X.tolist() == [[1], [3]]
    assert left.Y.tolist() == [[1], [4]]
    with pytest.raises(sf.InvalidData, match="numbers are missing, 1 of 'y'"):
        take(table, "y", missing="mean")
    with pytest.raises(sf.InvalidData, match="no row is complete"):
        take(table, "y", missing="drop")
    with pytest.raises(sf.InvalidData, match="numbers are missing, 3 of 'none'"):
        take(frame(none=[None] * 3), "y", drop="id", missing="mean")


@pytest.mark.parametrize(
    ("table", "arguments", "message"),
    [
        (frame(when=pd.to_datetime(["2020-01-01"] * 3)), {}, r"'id' \(a\), 'when' \(2"),
        (frame(top=[1, np.inf, 2]), {"drop": ["id"]}, r"in column 'top' \(inf\)"),
        (frame(z=[1j, 2, 3]), {"drop": ["id"]}, r"in column 'z'"),
        (frame(), {"drop": "nothing"}, "there is no column 'nothing'; the columns are"),
        (frame(), {"inputs": ["dose", "y"]}, "'y' is a target or dropped, too"),
        (frame(), {"inputs": []}, "inputs: none is left"),
        (frame(), {"inputs": ["dose", "dose"]}, "inputs needs each column once"),
        (
            frame(),
            {"drop": "id", "missing": "zero"},
            "needs one of refuse, drop, mean; got 'zero'",
        ),
        (np.eye(2), {}, "needs a data frame; got ndarray"),
        (pd.DataFrame([[1, 2, 3]], columns=["a", "a", "y"]), {}, "two columns 'a'"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(table, arguments, message):
    with pytest.raises(sf.InvalidArgument, match=message):
        take(table, "y", **arguments)


def test_a_plain_dataset_names_the_columns_of_a_frame_too():
    with pytest.raises(sf.InvalidData, match=r"Dataset\(X=…\): no finite.* 'id' \(a\)"):
        sf.Dataset(frame()[["dose", "id"]], [1, 2, 3])
    with pytest.raises(sf.InvalidData, match="numbers are missing, 1 of 'gap'"):
        sf.Dataset([1, 2, 3], frame(gap=[1, None, 2])[["gap"]])


def test_all_constant_columns_are_named_at_once():
    data = sf.Dataset(frame(k=[1.0] * 3)[["k", "dose"]], [5, 5, 5])
    with pytest.raises(
        sf.InvalidData, match=r"columns 'k' \(1\.0\), 'y1' \(5\.0\) are"
    ):
        data.standardized()


@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.coo_array])
def test_sparse_matrices_are_written_out_or_refused(kind):
    assert sf.Dataset(kind(np.eye(3)), [1, 2, 3]).X.tolist() == np.eye(3).tolist()
    with pytest.raises(sf.InvalidData, match="more entries than the 100000000"):
        sf.Dataset(kind((10**6, 10**6)), [1])


def test_bfloat16_is_read():
    half = pytest.importorskip("ml_dtypes").bfloat16
    assert sf.Dataset(np.eye(2).astype(half), [1, 2]).X.tolist() == np.eye(2).tolist()


def test_tensors_are_read_without_their_gradient():
    torch = pytest.importorskip("torch")
    for dtype in (torch.float64, torch.bfloat16):
        tensor = torch.eye(2, dtype=dtype, requires_grad=True)
        assert sf.Dataset(tensor, [1, 2]).X.tolist() == np.eye(2).tolist()


def test_whitened_inputs_have_the_unit_second_moment(rng):
    X = rng.standard_normal((30, 4)) * [1.0, 1e-9, 1e200, 3.0]
    X[:, 3] += 1e-3 * X[:, 0]
    data = sf.Dataset(X, rng.standard_normal((30, 2)))
    white = data.whitened()
    assert white.moments().sigma_xx == pytest.approx(np.eye(4), abs=1e-13)
    assert white.inputs == data.inputs
    W = rng.standard_normal((5, 2, 4))
    back = white.unwhiten(W)
    expected = np.einsum("tmd,nd->tnm", W, white.X)
    assert np.einsum("tmd,nd->tnm", back, X) == pytest.approx(expected, abs=1e-10)


def test_what_is_learned_on_whitened_inputs_solves_the_original_problem(rng):
    X = rng.standard_normal((20, 3)) @ rng.standard_normal((3, 3))
    data = sf.Dataset(X, rng.standard_normal((20, 2)))
    white = data.whitened()
    flow = sf.gradient_flow(sf.LinearNetwork(3, 3, 2), sf.SquaredLoss())
    init = sf.gaussian_init(0.5, rng=0)
    best = np.linalg.lstsq(X, data.Y, rcond=None)[0].T
    run = sf.simulate(flow, white, init, [0, 300])
    assert white.unwhiten(run.end_to_end)[-1] == pytest.approx(best, abs=1e-7)
    fine = sf.precise(flow, white, init, [0, 300], digits=25)
    back = white.unwhiten(fine.end_to_end)
    assert back.dtype == object
    assert to_float_array(back[-1]) == pytest.approx(best, abs=1e-10)


def test_rational_samples_are_whitened_exactly():
    X = [[THIRD, 1, 2], [3, 4, 5], [1, 1, 0], [7, 0, 1]]
    white = sf.Dataset(X, [1, 2, 3, 4]).whitened()
    assert white.exact
    assert white.moments().sigma_xx.tolist() == sympy.eye(3).tolist()
    numbers = np.array([[float(x) for x in row] for row in X])
    floats = sf.Dataset(numbers, [1.0, 2, 3, 4]).whitened()
    assert to_float_array(white.X) == pytest.approx(floats.X, abs=1e-13)
    T = white.unwhiten(sympy.eye(3))
    moved = sympy.Matrix(X) * sympy.Matrix(T.tolist()).T
    gaps = moved - sympy.Matrix(white.X.tolist())
    assert gaps.applyfunc(sympy.simplify).is_zero_matrix


def test_inputs_that_cannot_be_whitened_are_named(rng):
    X = rng.standard_normal((9, 3))
    table = np.column_stack([X, X[:, 0] - 2 * X[:, 2], 0 * X[:, 0]])
    names = ["a", "b", "c", "d", "e"]
    with pytest.raises(sf.InvalidData, match="of column 'e' nothing is left"):
        sf.Dataset(table, X, inputs=names).whitened()
    with pytest.raises(sf.InvalidData, match="of column 'd' nothing is left"):
        sf.Dataset(table[:, :4], X, inputs=names[:4]).whitened()
    with pytest.raises(sf.InvalidData, match="2 samples of 3 inputs"):
        sf.Dataset(X[:2], X[:2]).whitened()
    with pytest.raises(sf.InvalidData, match="of column 'x2' nothing is left"):
        sf.Dataset([[THIRD, 1], [1, 3], [2, 6]], [1, 2, 3]).whitened()
    with pytest.raises(sf.InvalidData, match="have to be rational"):
        sf.Dataset([[sympy.sqrt(2)], [1]], [1, 2]).whitened()
    data = sf.Dataset(X, X)
    with pytest.raises(sf.InvalidArgument, match="were not made by whitened"):
        data.unwhiten(np.eye(3))
    with pytest.raises(sf.ShapeMismatch, match="needs 3 columns, one per input"):
        data.whitened().unwhiten(np.eye(2))
    with pytest.raises(sf.InvalidArgument, match="does not fit into memory"):
        data.whitened().unwhiten(range(10**15))


def test_refusals_say_what_to_write():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.SquaredLoss())
    pair = [[1.0, 2.0], [0.0, 1.0]], [1.0, 2.0]
    with pytest.raises(sf.InvalidArgument, match=r"as Dataset\(X, Y\); got"):
        sf.simulate(flow, pair, ([[1, 1]],), [0, 1])
    with pytest.raises(sf.InvalidArgument, match="fill or drop them"):
        sf.Dataset(np.ma.masked_array(pair[0], [[1, 0], [0, 0]]), pair[1])
    with pytest.raises(sf.InvalidArgument, match=r"claim\(flow, conserved=expr\)"):
        sf.conserved(flow, search=flow.state[0])
