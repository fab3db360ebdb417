"""Exported modules: NumPy alone, the same bytes every time, and right."""

import subprocess
import sys

import numpy as np
import pytest

import symflow as sf
from symflow.codegen import module_source

#: Runs a module while every import but NumPy and the standard library fails.
ISOLATED = """
import sys, runpy
allowed = set(sys.stdlib_module_names) | {"numpy"}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in allowed:
            raise ImportError(name + " is not NumPy")
sys.meta_path.insert(0, Refuse())
runpy.run_path(sys.argv[1], run_name="__main__")
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


@pytest.mark.parametrize(("widths", "loss"), CASES)
def test_module_tests_itself_with_numpy_alone(tmp_path, widths, loss):
    path = sf.write_module(flow_of(widths, loss), tmp_path / "flow.py")
    command = [sys.executable, "-c", ISOLATED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
    assert "gradient of the loss" in done.stdout


def test_self_test_fails_when_a_sign_is_wrong(tmp_path):
    path = sf.write_module(flow_of(("d", "h", "m"), {}), tmp_path / "flow.py")
    source = path.read_text()
    assert "sigma_yx - W2 @ W1 @ sigma_xx" in source
    path.write_text(
        source.replace("sigma_yx - W2 @ W1 @ sigma_xx", "sigma_yx + W2 @ W1 @ sigma_xx")
    )
    done = subprocess.run([sys.executable, path], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"FAIL" in done.stdout


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
