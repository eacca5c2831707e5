#!/usr/bin/env python3
"""MatMulNBits 4096 x 4096 in ONNX Runtime and in Pare, one thread, in turns: .venv/bin/python bench/nbits_onnxruntime.py

Writes the models, times ONNX Runtime here and Pare by `pare bench` on the same files, and prints medians in ms. For one row
the models hold twelve such products one after the other, so that the weights come from memory and not from a cache.
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

PARE = os.environ.get("PARE", "build/bin/pare")
SIZE = 4096


def model(path, rows, block, level, layers):
    rng = np.random.default_rng(0)
    blocks = SIZE // block
    nodes, initializers = [], []
    name = "x"
    for i in range(layers):
        b = rng.integers(0, 256, (SIZE, blocks, block // 2), dtype=np.uint8)
        scales = np.full(SIZE * blocks, 0.002, np.float32)
        initializers += [numpy_helper.from_array(b, f"b{i}"), numpy_helper.from_array(scales, f"s{i}")]
        out = "y" if i == layers - 1 else f"h{i}"
        nodes.append(helper.make_node("MatMulNBits", [name, f"b{i}", f"s{i}"], [out], domain="com.microsoft", K=SIZE, N=SIZE,
                                      bits=4, block_size=block, accuracy_level=level))
        name = out
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [rows, SIZE]) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "nbits", ends[:1], ends[1:], initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), str(path))


def onnxruntime_ms(path, rows):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).standard_normal((rows, SIZE)).astype(np.float32)
    times = []
    start = time.monotonic()
    while time.monotonic() - start < 1.0 or len(times) < 5:
        before = time.perf_counter()
        session.run(None, {"x": x})
        times.append(time.perf_counter() - before)
    return 1000 * float(np.median(times))


def pare_ms(path):
    out = subprocess.run([PARE, "bench", str(path), "--threads", "1", "--json", "--quiet"], check=True, stdout=subprocess.PIPE)
    return json.loads(out.stdout)["results"][0]["latency"]["median_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, values in (("rows", (1, 128)), ("blocks", (32, 128)), ("levels", (0, 4))):
        parser.add_argument(f"--{name}", type=int, nargs="+", default=values)
    args = parser.parse_args()
    print(f"{'rows':>5}{'block':>7}{'level':>7}{'onnxruntime':>14}{'pare':>10}{'ratio':>8}   ms a product")
    with tempfile.TemporaryDirectory() as folder:
        for rows in args.rows:
            layers = 12 if rows == 1 else 1
            for block in args.blocks:
                for level in args.levels:
                    path = pathlib.Path(folder) / f"m{rows}_{block}_{level}.onnx"
                    model(path, rows, block, level, layers)
                    theirs, ours = (sorted(f() for _ in range(3))[1] / layers
                                    for f in (lambda: onnxruntime_ms(path, rows), lambda: pare_ms(path)))
                    print(f"{rows:5}{block:7}{level:7}{theirs:14.3f}{ours:10.3f}{theirs / ours:8.2f}", flush=True)


if __name__ == "__main__":
    main()
