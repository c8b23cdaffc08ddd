"""Weights are taken out in the browser, exactly as archgauge-client does."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from playwright.sync_api import Page, expect

from archgauge_client.stripping import strip_weights
from graphs import write_onnx
from graphs.light_models import light_models
from graphs.spaces import sample
from service.ui import assets


def test_weights_stay_in_the_browser(page: Page, tmp_path: Path) -> None:
    """A file above the server's limit is predicted, since what is sent of it is small."""
    weights = numpy_helper.from_array(np.ones((1000, 1000), np.float32), "w")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 1000]) for name in "xy")
    layer = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "layer", [x], [y], [weights])
    file = tmp_path / "large.onnx"
    file.write_bytes(helper.make_model(layer, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    assert file.stat().st_size > 2_000_000
    sent: list[int] = []
    page.on("request", lambda r: sent.append(len(r.post_data_buffer or b"")) if r.method == "POST" else None)
    page.goto("/")
    page.get_by_label("Choose files").set_input_files(file)
    page.get_by_role("button", name="Predict", exact=True).click()
    page.wait_for_url(re.compile("/predictions/"))
    assert sent[0] < 100_000
    expect(page.get_by_role("heading", level=1)).to_have_text("large.onnx")


def models() -> dict[str, bytes]:
    """Real networks, made ones, and attributes and nested graphs with all that a file can hide weights in."""
    big, small = np.arange(1000, dtype=np.float32), np.arange(3, dtype=np.float32)
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(big))], "inner", [], []
    )
    nodes = [
        helper.make_node("Constant", [], ["a"], value=numpy_helper.from_array(big, "a")),
        helper.make_node("Constant", [], ["b"], value_floats=big.tolist()),
        helper.make_node("Constant", [], ["c"], value_ints=list(range(1000))),
        helper.make_node("Constant", [], ["d"], value_strings=["x" * 5000]),
        helper.make_node("Odd", ["x"], ["e"], weights=big.tolist(), text="y" * 5000, few=[1.0, 2.0], count=-3),
        helper.make_node("If", ["x"], ["f"], then_branch=inner, else_branch=inner),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])
    weights = [numpy_helper.from_array(big, "w"), numpy_helper.from_array(small, "s")]
    made = helper.make_model(helper.make_graph(nodes, "hidden", [x], [x], weights, doc_string="secret"))
    made.metadata_props.add(key="path", value="folder/secret")
    return {
        **{name: light_models()[name].read_bytes() for name in ("SqueezeNet", "DenseNet-121")},
        "mobile": write_onnx(sample("mbconv", 2)), "hidden": made.SerializeToString(), "masked": masked(),
    }  # fmt: skip


def masked() -> bytes:
    """Masks of attention scores in all element types, one of which hides a share in the middle of two roundings."""
    shares = {"f": (1 / 32, 1 / 3), "h": (1 / 32, 0.7), "b": (0.5,), "none": (0.0,)}
    masks = []
    for kind, parts in shares.items():
        for part in parts:
            hidden = np.arange(1024).reshape(32, 32) < 1024 * part
            numbers = ~hidden if kind == "b" else np.where(hidden, -100.0 if part < 0.5 else -1e4, 1.0)
            dtype = {"b": np.bool_, "h": np.float16}.get(kind, np.float32)
            masks.append(numpy_helper.from_array(numbers.astype(dtype), f"{kind}{part}"))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [32, 32])
    graph = helper.make_graph([helper.make_node("Add", ["x", "f0.03125"], ["y"])], "masked", [x], [x], masks)
    return bytes(helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize("name", ["SqueezeNet", "DenseNet-121", "mobile", "hidden", "masked"])
def test_the_browser_strips_as_the_client_does(page: Page, name: str) -> None:
    model = models()[name]
    page.goto("/")
    stripped = page.evaluate(
        """async ([module, text]) => {
            const { stripWeights } = await import(module);
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            let out = "";
            for (const byte of stripWeights(bytes)) out += String.fromCharCode(byte);
            return btoa(out);
        }""",
        [assets.url("strip.js"), _base64(model)],
    )
    assert stripped == _base64(strip_weights(model))
    if name == "masked":
        assert strip_weights(model).count(b"archgauge.masking") == 5


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
