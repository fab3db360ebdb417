"""What kind of start: the numbers, and what the flow then does."""

import numpy as np
import pytest

import symflow as sf
from symflow.convergence.kernel_spectrum import operator_drift

FLOW = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
DATA = sf.whitened([[1.0, 0.2], [0.0, 0.5]])


@pytest.mark.parametrize(
    ("init", "verdict"),
    [
        (sf.lambda_balanced_init(200, 0.05, rng=1), "lazy"),
        (sf.lambda_balanced_init(0, 0.01, rng=1), "rich"),
        (sf.gaussian_init(1e-3, rng=1), "rich"),
        (sf.gaussian_init(0.7, rng=1), "between"),
    ],
)
def test_verdicts_agree_with_what_the_flow_does(init, verdict):
    """A lazy kernel stands still; a rich one grows by a factor."""
    found = sf.regime(FLOW, DATA, init)
    assert found.verdict == verdict
    assert str(found).startswith(f"{verdict} start")
    run = sf.simulate(FLOW, DATA, init, np.linspace(0, 40, 81))
    sizes = [np.linalg.norm(weight[0], 2) ** 2 for weight in run.weights]
    moved = operator_drift(run).max() / sum(sizes)
    assert moved <= found.drift
    assert (moved < 0.1) == (verdict == "lazy")
    assert (moved > 10) == (verdict == "rich")


def test_numbers_against_their_definitions(rng):
    X, Y = rng.standard_normal((2, 4)), rng.standard_normal((2, 2))
    data = sf.Dataset(X, Y)
    flow = sf.gradient_flow(sf.LinearNetwork(4, 3, 2), sf.SquaredLoss())
    first, second = rng.standard_normal((3, 4)), rng.standard_normal((2, 3))
    found = sf.regime(flow, data, (first, second))
    projector = np.linalg.pinv(X) @ X
    rest = first @ (np.eye(4) - projector)
    x, y = second @ rest, projector @ first.T @ rest
    assert found.off == pytest.approx(np.sqrt(np.sum(x**2) + np.sum(y**2)))
    best = (np.linalg.pinv(X) @ Y).T
    size = np.sum((first @ projector) ** 2) + np.sum(second**2)
    size /= 2 * np.linalg.svd(best, compute_uv=False).sum()
    assert found.scale == pytest.approx(size)
    assert not found.obstructed


def test_homogeneous_and_obstructed_starts():
    lam = sf.regime(FLOW, DATA, sf.lambda_balanced_init(2, rng=3))
    assert lam.homogeneity < 1e-12
    assert lam.levels.level == pytest.approx(2)
    # Z = I and W(0) = diag(ε, −ε) balanced: the second mode dies at zero
    start = (np.diag([0.3, 0.3]), np.diag([0.3, -0.3]))
    data = sf.whitened(np.eye(2))
    found = sf.regime(FLOW, data, start)
    assert found.obstructed
    assert "wrong" in str(found)
    run = sf.simulate(FLOW, data, start, [0, 30])
    assert run.end_to_end[-1] == pytest.approx(np.diag([1.0, 0.0]), abs=1e-6)
    assert not sf.regime(FLOW, data, (start[0], np.diag([0.3, 0.3]))).obstructed


def test_other_problems_are_refused():
    deep = sf.gradient_flow(sf.LinearNetwork(2, 2, 2, 2), sf.SquaredLoss())
    with pytest.raises(sf.HypothesisFailed, match="2 dense layers: fails"):
        sf.regime(deep, DATA, sf.gaussian_init(1, rng=0))


def test_a_small_product_of_large_layers_is_not_rich():
    """W(0) = 0 with W₁ of order one learns at once: the second layer only follows."""
    start = (np.eye(2), np.zeros((2, 2)))
    assert sf.regime(FLOW, DATA, start).verdict != "rich"
    assert sf.regime(FLOW, DATA, (0.01 * start[0], start[1])).verdict == "rich"
