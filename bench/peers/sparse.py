#!/usr/bin/env python3
"""Sparse networks on Pare beside the dense ones on its peers: prunes and quantizes what export.py made (by magnitude; accuracy is another
matter), then times all in turns, each run in its own process, and prints how many times as fast each sparse network is.

    bench/peers/run --threads 1 --rounds 1             once: makes the environment and the dense networks
    build/peers/venv/bin/python bench/peers/sparse.py build/peers/models [--threads 1,2] [--rounds 5] [--output F.json]
"""
import argparse
import json
import pathlib
import statistics
import subprocess

import numpy as np
from compare import ROOT, describe, run_pare, run_peer
from engine import inputs_of

# Network, flags of `pare prune`, integer.
NETWORKS = (("resnet50", ("--pattern", "8:64"), True), ("resnet50", ("--pattern", "4:64"), True), ("resnet18", ("--pattern", "8:64"), True),
            ("resnet50", ("--pattern", "unstructured", "--sparsity", "0.9"), True), ("resnet50", ("--pattern", "unstructured", "--sparsity", "0.9"), False),
            ("minilm_l6", ("--pattern", "8:64"), True))
QUANTIZE = ("--activations-calibrator", "min-max", "--activations-samples", "8", "--smooth", "off", "--no-bias-correction", "--protect-macs", "0")


def pare(options, *arguments):
    subprocess.run([options.pare, *map(str, arguments), "--quiet"], check=True, stdout=subprocess.DEVNULL)


def data_file(folder, name):
    """Random inputs: calibration needs some."""
    arrays, description = folder / f"{name}.npz", folder / f"{name}.yaml"
    np.savez(arrays, **inputs_of(name, 8))
    description.write_text(f"train: {{format: npz, file: {arrays.name}}}\n")
    return description


def make(options, folder, name, flags, integer):
    """The sparse network's file; made unless it exists. Images enter and leave by dense layers, as is usual."""
    data, dense = data_file(folder, name), () if name == "minilm_l6" else ("--exclude", "first,last")
    stem = f"{name}_{flags[1].replace(':', '_')}"
    pruned, final = folder / f"{stem}.onnx", folder / f"{stem}.int8.onnx"
    if not pruned.exists():
        pare(options, "prune", options.models / f"{name}.onnx", "--data", data, "--method", "magnitude", *flags, *dense, "-o", pruned)
    if integer and not final.exists():
        pare(options, "quantize", pruned, "--data", data, *QUANTIZE, "-o", final)
    return final if integer else pruned


def measure(options, threads, sparse, name):
    """Median milliseconds of the sparse network, of Pare's own dense ones and of the peers' dense ones."""
    float_model, int8_model = options.models / f"{name}.onnx", options.models / f"{name}.int8.onnx"
    runs = {"sparse": lambda: run_pare(options.pare, sparse, threads, 1, options.seconds, "f32"),
            "pare f32": lambda: run_pare(options.pare, float_model, threads, 1, options.seconds, "f32"),
            "pare int8": lambda: run_pare(options.pare, int8_model, threads, 1, options.seconds, "f32"),
            "onnxruntime f32": lambda: run_peer("onnxruntime", float_model, threads, 1, options.seconds, "f32"),
            "openvino int8": lambda: run_peer("openvino", int8_model, threads, 1, options.seconds, "f32")}
    times = {label: [] for label in runs}
    for _ in range(options.rounds):
        for label, run in runs.items():
            times[label].append(run())
    return {label: statistics.median(values) for label, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=pathlib.Path, help="folder of the exported models")
    parser.add_argument("--pare", default=str(ROOT / "build/bin/pare"))
    parser.add_argument("--threads", default="1")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", help="JSON file for the figures")
    options = parser.parse_args()
    options.batch = 1
    folder = options.models.parent / "sparse"
    folder.mkdir(exist_ok=True)
    rows = []
    print("| network | threads | sparse, ms | × ONNX Runtime f32 | × OpenVINO int8 | × own dense f32 | × own dense int8 |\n|---|--:|--:|--:|--:|--:|--:|")
    for threads in map(int, options.threads.split(",")):
        for name, flags, integer in NETWORKS:
            ms = measure(options, threads, make(options, folder, name, flags, integer), name)
            what = f"{name}, {'int8' if integer else 'f32'} {' '.join(flags[1:]).replace('--sparsity ', '')}"
            rows.append({"network": what, "threads": threads, "ms": ms})
            times = [f"{ms[label] / ms['sparse']:.2f}" for label in ("onnxruntime f32", "openvino int8", "pare f32", "pare int8")]
            print(f"| {what} | {threads} | {ms['sparse']:.2f} | " + " | ".join(times) + " |", flush=True)
    if options.output:
        pathlib.Path(options.output).write_text(json.dumps({**describe(options), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
