"""Pare against ONNX Runtime over a grid of operators and their options (differential.py). PARE_DIFFERENTIAL=full runs the whole of
it, as `make conformance` does; otherwise its beginning."""
import os

import numpy as np
import onnx
import pytest

import differential
from conftest import run_pare

COUNT = 400 if os.environ.get("PARE_DIFFERENTIAL") == "full" else 25


def oracle(model, inputs):
    """ONNX Runtime's output. Quantized models run as written, which is what they mean: its fused kernels round on their own."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, inputs)[0]


def problem(case, folder):
    """What is wrong with Pare's output, or ""."""
    onnx.save(case.model, str(folder / "m.onnx"))
    np.savez(folder / "in.npz", **case.inputs)
    result = run_pare("run", folder / "m.onnx", "--inputs", folder / "in.npz", "-o", folder / "out.npz", "--force", "--quiet",
                      "--threads", 1)
    if result.code != 0:
        return result.err.strip()
    want = oracle(case.model, case.inputs)
    with np.load(folder / "out.npz") as outputs:
        got = outputs["y"]
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype} {got.shape} instead of {want.dtype} {want.shape}"
    difference = np.abs(got.astype(np.float64) - want.astype(np.float64)).max(initial=0)
    bound = 1 if case.quantized else 1e-5 * max(float(want.max()) - float(want.min()), float(np.abs(want).max()))
    return "" if difference <= bound else f"differs by {difference:.3g}, at most {bound:.3g} allowed"


@pytest.mark.parametrize("family", differential.FAMILIES)
def test_outputs_are_those_of_onnx_runtime(tmp_path, family):
    found = {}
    for i, case in enumerate(differential.cases(family, COUNT)):
        what = problem(case, tmp_path)
        if what:
            found[f"{i}: {case.label}"] = what
    assert not found, f"{len(found)} of {COUNT}:\n" + "\n".join(f"{label}: {what}" for label, what in list(found.items())[:20])
