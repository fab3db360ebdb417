"""Exported modules: NumPy alone, the same bytes every time, and right."""

import re
import subprocess
import sys

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.codegen import module_source

#: Runs modules while every import but NumPy and the standard library fails.
ISOLATED = """
import sys, runpy
allowed = set(sys.stdlib_module_names) | {"numpy"}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in allowed:
            raise ImportError(name + " is not NumPy")
sys.meta_path.insert(0, Refuse())
for file in sys.argv[1:]:
    try:
        runpy.run_path(file, run_name="__main__")
    except SystemExit as end:
        print("exit", end.code, file)
    except Exception as error:
        print("exit", repr(error), file)
"""

CASES = [
    (("d", "h", "m"), {}),
    ((3, 4, 2, 5), {"l2": "lambda"}),
    ((4, 2), {"l2": 0.25}),
    ((2, 2, 2), {"reduction": "sum"}),
]


def flow_of(widths, loss):
    return sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(**loss))


def load(path):
    namespace = {"__name__": "exported"}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    return namespace


def run(*paths):
    """Return what the self-tests print, one text per file."""
    command = [sys.executable, "-c", ISOLATED, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    texts = re.split(r"(?<=\.py)\n", done.stdout)[:-1]
    assert len(texts) == len(paths), done.stdout
    return texts


def is_right(text):
    return "exit 0" in text and "FAIL" not in text


@pytest.mark.parametrize(("widths", "loss"), CASES)
def test_module_tests_itself_with_numpy_alone(tmp_path, widths, loss):
    (text,) = run(sf.write_module(flow_of(widths, loss), tmp_path / "flow.py"))
    assert is_right(text)
    assert "gradient of the loss" in text


W, A = (sympy.MatrixSymbol(name, 2, 3) for name in "WA")
NETWORKS = {
    "1-1": sf.LinearNetwork(1, 1),
    "1-1-1": sf.LinearNetwork(1, 1, 1),
    "20-20-5": sf.LinearNetwork(20, 20, 5),
    "32-16-8": sf.LinearNetwork(32, 16, 8),
    "40-30-20-1": sf.LinearNetwork(40, 30, 20, 1),
    "784-100-10": sf.LinearNetwork(784, 100, 10),
    "784-10": sf.LinearNetwork(784, 10),
    "3000-1-2000": sf.LinearNetwork(3000, 1, 2000),
    "ten layers": sf.LinearNetwork(*[6] * 10, 1),
    "symbols": sf.LinearNetwork("d", "h", "k", "m"),
    "a symbol among numbers": sf.LinearNetwork(300, "h", 1),
    "diagonal": sf.DiagonalNetwork(500, depth=2),
    "deep diagonal": sf.DiagonalNetwork(50, depth=5),
    "signed": sf.DiagonalNetwork(60, depth=3, signed=True),
    "squares": sf.HadamardDifference(200),
    "convolution": sf.ConvolutionalNetwork(5, filters=(2, 5)),
    "wide convolution": sf.ConvolutionalNetwork(100, filters=(100, 100)),
    "symmetric": sf.SymmetricFactorization(40, 3),
    "tensor": sf.TensorNetwork(np.eye(4, dtype=int)),
    "mixed": sf.Network(sf.Circulant(30, 4), sf.Diagonal(30), sf.Dense(30, 2)),
}
LOSSES = {
    "squared": sf.SquaredLoss(),
    "decay": sf.SquaredLoss(l2="lambda", reduction="sum"),
    "exponential": sf.ExponentialLoss(l2=0.25),
    "logistic": sf.LogisticLoss(),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_modules_of_all_networks_and_widths_test_themselves(tmp_path, loss):
    paths = []
    for number, network in enumerate(NETWORKS.values()):
        try:
            flow = sf.gradient_flow(network, LOSSES[loss])
        except sf.SymflowError:
            continue
        paths.append(sf.write_module(flow, tmp_path / f"flow{number}.py"))
    assert len(paths) >= len(NETWORKS) - 3
    for text in run(*paths):
        assert is_right(text), text


def test_modules_of_losses_of_your_own_test_themselves(tmp_path):
    literal = sympy.ImmutableDenseMatrix(3, 2, lambda i, j: i - 2 * j)
    own = [(sympy.Trace(A.T * W) - 1) ** 2, sympy.exp(sympy.Trace(literal * W))]
    net = sf.LinearNetwork(3, 30, 2)
    flows = [sf.gradient_flow(net, sf.CustomLoss(expr)) for expr in own]
    paths = [sf.write_module(f, tmp_path / f"f{k}.py") for k, f in enumerate(flows)]
    for text in run(*paths):
        assert is_right(text), text


#: Faults of the generated right-hand side, as replacements in its text.
FAULTS = [
    ("sigma_yx - ", "sigma_yx + "),
    ("- W2 @ W1 @ sigma_xx", "- 1.0001 * W2 @ W1 @ sigma_xx"),
    ("dW1 = W2.T @ F", "dW1 = -W2.T @ F"),
    ("dW1 = W2.T @ F", "dW1 = 0.999 * W2.T @ F"),
    ("dW1 = W2.T @ F", "dW1 = 0 * W2.T @ F"),
    ("dW2 = F @ W1.T", "dW2 = F @ W1.T + 1e-4"),
    ("dW2 = F @ W1.T", "dW2 = F @ W1.T * np.nan"),
    ("dW2 = F @ W1.T", "dW2 = F @ W1.T; dW2[0, 0] = 0"),
]


@pytest.mark.parametrize("widths", [("d", "h", "m"), (784, 100, 10)], ids=str)
def test_self_test_fails_when_the_equations_are_wrong(tmp_path, widths):
    source = module_source(flow_of(widths, {}))
    start, end = source.index("def rhs("), source.index("def loss(")
    paths = []
    for number, (right, wrong) in enumerate(FAULTS):
        assert right in source[start:end]
        mutant = source[start:end].replace(right, wrong)
        paths.append(tmp_path / f"flow{number}.py")
        paths[-1].write_text(source[:start] + mutant + source[end:])
    for text, fault in zip(run(*paths), FAULTS, strict=True):
        assert not is_right(text), fault
        assert "exit 1" in text, text


def test_module_agrees_with_simulate(tmp_path):
    rng = np.random.default_rng(0)
    data = sf.Dataset(rng.standard_normal((9, 3)), rng.standard_normal((9, 2)))
    start = [rng.standard_normal((4, 3)), rng.standard_normal((2, 4))]
    t = [0.0, 0.5, 3.0]
    flow = flow_of(("d", "h", "m"), {})
    module = load(sf.write_module(flow, tmp_path / "flow.py"))
    moments = data.moments()
    path = module["simulate"](start, (moments.sigma_xx, moments.sigma_yx), t)
    run = sf.simulate(flow, data, start, t)
    for exported, own in zip(path, run.weights, strict=True):
        assert np.allclose(exported, own, rtol=0, atol=1e-8)


@pytest.mark.parametrize("t", [[1.0, 0.5], [-1.0], [0.0, 0.0]])
def test_exported_simulate_refuses_times_that_go_backwards(tmp_path, t):
    module = load(sf.write_module(flow_of((1, 1), {}), tmp_path / "flow.py"))
    with pytest.raises(ValueError, match="times have to increase"):
        module["simulate"]([np.eye(1)], (np.eye(1), np.eye(1)), t)


def test_same_flow_gives_the_same_bytes_for_every_hash_seed():
    code = (
        "import symflow as sf; from symflow.codegen import module_source;"
        "print(module_source(sf.gradient_flow(sf.LinearNetwork('d','h','k','m'),"
        "sf.SquaredLoss(l2='lambda'))))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": str(seed)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in range(2)
    }
    assert len(texts) == 1


def test_provenance_is_in_the_docstring():
    source = module_source(flow_of((3, 2), {}), "one.py")
    assert f"symflow {sf.__version__}" in source
    assert "gradient_flow(LinearNetwork(3, 2), SquaredLoss())" in source


def test_unwritable_path_is_one_clear_error(tmp_path):
    with pytest.raises(sf.OutputError, match="cannot write there: No such file"):
        sf.write_module(flow_of((3, 2), {}), tmp_path / "absent" / "flow.py")


def test_flow_and_path_in_the_wrong_order() -> None:
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1), sf.SquaredLoss())
    with pytest.raises(sf.InvalidArgument, match="needs the path of a file"):
        sf.write_module("flow.py", flow)  # type: ignore[arg-type]
