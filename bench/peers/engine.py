#!/usr/bin/env python3
"""Times one engine on one model in this process: engine.py onnxruntime|openvino MODEL THREADS BATCH SECONDS [bf16]. Prints the median
in milliseconds."""
import statistics
import sys
import time

import numpy as np
from export import IMAGE, TOKENS, sample


def inputs_of(model, batch):
    shapes = TOKENS if "minilm" in model else IMAGE
    return sample({name: (batch, *shape[1:]) for name, shape in shapes.items()}, np.random.default_rng(2))


def onnxruntime_runner(model, threads, inputs, _):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, inputs)


def openvino_runner(model, threads, inputs, precision):
    import openvino

    core = openvino.Core()
    network = core.read_model(model)
    network.reshape({name: value.shape for name, value in inputs.items()})
    request = core.compile_model(network, "CPU", {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
                                                  "INFERENCE_PRECISION_HINT": precision}).create_infer_request()
    return lambda: request.infer(inputs)


def main():
    engine, model, threads, batch, seconds = sys.argv[1:6]
    precision = sys.argv[6] if len(sys.argv) > 6 else "f32"
    make = {"onnxruntime": onnxruntime_runner, "openvino": openvino_runner}[engine]
    run = make(model, int(threads), inputs_of(model, int(batch)), precision)
    for _ in range(5):
        run()
    times, end = [], time.perf_counter() + float(seconds)
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    print(1000 * statistics.median(times))


if __name__ == "__main__":
    main()
