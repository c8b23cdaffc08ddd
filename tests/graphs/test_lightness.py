"""What does not need onnx does not import it."""

import subprocess
import sys


def imported(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(' '.join(m for m in ('onnx', 'numpy') if m in sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_keys_and_errors_need_nothing() -> None:
    assert imported("import graphs; graphs.Kernel; graphs.GraphError") == set()


def test_graphs_in_json_need_no_onnx() -> None:
    data = {
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 3]}],
        "nodes": [{"op": "Relu", "inputs": ["x"], "outputs": ["y"]}], "outputs": ["y"],
    }  # fmt: skip
    statement = f"import graphs; g = graphs.prepare({data!r}); graphs.kernels_of(g); graphs.graph_hash(g)"
    assert imported(statement) == {"numpy"}


def test_functions_are_not_hidden_by_their_modules() -> None:
    statement = "import graphs.kernels_of, graphs.kernel_graph; assert callable(graphs.kernels_of)"
    assert "onnx" not in imported(statement + " and callable(graphs.kernel_graph)")
