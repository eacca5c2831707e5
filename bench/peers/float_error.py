#!/usr/bin/env python3
"""The error of float32 outputs against the same network in float64, as a share of the output's range:

    bench/peers/run --threads 1 --rounds 1             once: makes the environment and the networks
    build/peers/venv/bin/python bench/peers/float_error.py build/peers/models/*.onnx [--pare build/bin/pare]

ONNX's reference evaluator computes in float64 what the file says: float32 constants, types and casts are made float64. Beside Pare, planned
by estimates and with --exact, stands ONNX Runtime.
"""
import argparse
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime
from compare import ROOT
from engine import inputs_of
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

FLOAT, DOUBLE = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE


class GatherElements(OpRun):
    """The evaluator's own fails on two axes."""

    def _run(self, data, indices, axis=0):
        return (np.take_along_axis(data, indices, axis),)


def widen(tensor):
    if tensor.data_type == FLOAT:
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype(np.float64), tensor.name))


def in_float64(path):
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        widen(tensor)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        if value.type.tensor_type.elem_type == FLOAT:
            value.type.tensor_type.elem_type = DOUBLE
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                widen(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == FLOAT:
                attribute.i = DOUBLE
    return ReferenceEvaluator(model, new_ops=[GatherElements])


def pare_outputs(pare, path, inputs, *flags):
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/x.npz", **inputs)
        subprocess.run([pare, "run", path, "--inputs", f"{folder}/x.npz", "-o", f"{folder}/y.npz", "--quiet", *flags], check=True,
                       stdout=subprocess.DEVNULL)
        with np.load(f"{folder}/y.npz") as outputs:
            return [outputs[name] for name in outputs.files]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+")
    parser.add_argument("--pare", default=str(ROOT / "build/bin/pare"))
    options = parser.parse_args()
    print("| model | Pare | Pare --exact | ONNX Runtime |\n|---|--:|--:|--:|")
    for path in options.models:
        name = pathlib.Path(path).stem
        if name.endswith(".int8"):
            continue
        inputs = inputs_of(name, 1)
        wide = {k: v.astype(np.float64) if v.dtype == np.float32 else v for k, v in inputs.items()}
        want = in_float64(path).run(None, wide)[0]
        results = (pare_outputs(options.pare, path, inputs)[0], pare_outputs(options.pare, path, inputs, "--exact")[0],
                   onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, inputs)[0])
        errors = [np.abs(got - want).max() / (want.max() - want.min()) for got in results]
        print(f"| {name} | " + " | ".join(f"{error:.1e}" for error in errors) + " |", flush=True)


if __name__ == "__main__":
    main()
