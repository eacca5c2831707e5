"""Winograd convolutions: the plan names them, the error stays small against float64, and --exact leaves them out."""
import numpy as np
import pytest

from conftest import MODELS

MODEL = MODELS / "fmnist_resnet10.onnx"
BATCH = 8


def windows(x, size, strides, pads, fill=0):
    top, left, bottom, right = pads
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(x, size, axis=(2, 3))[:, :, ::strides[0], ::strides[1]]


def conv(x, weight, bias=None, strides=(1, 1), pads=(0, 0, 0, 0), **_):
    y = np.einsum("nchwij,kcij->nkhw", windows(x, weight.shape[2:], strides, pads), weight, optimize=True)
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)


def max_pool(x, kernel_shape, strides=(1, 1), pads=(0, 0, 0, 0), **_):
    return windows(x, kernel_shape, strides, pads, -np.inf).max(axis=(4, 5))


OPERATORS = {
    "Conv": conv,
    "Relu": lambda x: np.maximum(x, 0),
    "Add": lambda a, b: a + b,
    "MaxPool": max_pool,
    "ReduceMean": lambda x, axes, keepdims=1, **_: x.mean(axis=tuple(axes), keepdims=bool(keepdims)),
    "Flatten": lambda x, axis=1: x.reshape(x.shape[0], -1),
    "Gemm": lambda a, b, c, transB=0, **_: a @ (b.T if transB else b) + c,
}


def in_float64(path, x):
    """The first output of a plain residual network, all in float64."""
    import onnx
    import onnx.numpy_helper
    graph = onnx.load(path).graph
    values = {t.name: onnx.numpy_helper.to_array(t).astype(np.float64) for t in graph.initializer}
    values[next(i.name for i in graph.input if i.name not in values)] = x.astype(np.float64)
    for node in graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        values[node.output[0]] = OPERATORS[node.op_type](*[values[name] for name in node.input], **attributes)
    return values[graph.output[0].name]


def kernels(pare, *flags):
    plan = pare("inspect", MODEL, "--plan", "--no-tune", "--batch", BATCH, "--json", *flags).json["plan"]
    return [step["kernel"] for step in plan["steps"]]


def test_exact_plans_have_no_winograd(pare):
    assert any(kernel.startswith("winograd4x4_f32") for kernel in kernels(pare))
    assert not any("winograd" in kernel for kernel in kernels(pare, "--exact"))


@pytest.mark.parametrize("flags,bound", [([], 2e-5), (["--exact"], 2e-5)], ids=["winograd", "exact"])
def test_outputs_are_those_in_float64(pare, tmp_path, flags, bound):
    x = np.random.default_rng(3).random((BATCH, 1, 28, 28)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    pare("run", MODEL, "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npz", *flags)
    want = in_float64(MODEL, x)
    with np.load(tmp_path / "y.npz") as outputs:
        got = outputs[outputs.files[0]]
    assert np.abs(got - want).max() <= bound * (want.max() - want.min())
