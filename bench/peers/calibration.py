#!/usr/bin/env python3
"""Calibration of ResNet-50 for int8 by Pare, NNCF (on OpenVINO) and ONNX Runtime, in turns, each in a process of its own.

    build/peers/venv/bin/python bench/peers/calibration.py FOLDER [--samples 512] [--entropy-samples 64] [--rounds 3] [--threads 2]

FOLDER is what bench/resnet50.py makes. Pare: `pare_bench_calibration`, from the file to the ranges, percentile and entropy. NNCF:
`nncf.quantize` with its defaults, which gathers statistics, quantizes weights and corrects biases. ONNX Runtime: `quantize_static`
with its entropy calibrator, on fewer images, since it keeps every activation of all of them. Medians of seconds, and the growth of
the process's peak memory from just before the model is read. Needs the packages of bench/peers/requirements.txt.
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARE = os.environ.get("PARE_BENCH_CALIBRATION", str(ROOT / "build/bin/pare_bench_calibration"))
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def batches(folder, count):
    images = np.load(folder / "images.npy", mmap_mode="r")[:count]
    for image in images:
        yield np.ascontiguousarray(((image[None] / np.float32(255) - MEAN) / STD).transpose(0, 3, 1, 2), np.float32)


def with_nncf(folder, samples, threads):
    import nncf
    import openvino
    before, start = peak_mb(), time.monotonic()
    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": threads})
    model = core.read_model(folder / "resnet50.onnx")
    nncf.quantize(model, nncf.Dataset(batches(folder, samples)), subset_size=samples)
    return time.monotonic() - start, peak_mb() - before


def with_onnxruntime(folder, samples, threads):
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.images = batches(folder, samples)

        def get_next(self):
            image = next(self.images, None)
            return None if image is None else {"image": image}

    before, start = peak_mb(), time.monotonic()
    with tempfile.TemporaryDirectory() as out:
        quantize_static(folder / "resnet50.onnx", f"{out}/q.onnx", Reader(), per_channel=True,
                        calibrate_method=CalibrationMethod.Entropy)
    return time.monotonic() - start, peak_mb() - before


def with_pare(folder, samples, threads, calibrator):
    done = subprocess.run([PARE, folder / "resnet50.onnx", folder / "data.yaml", str(samples), str(threads), calibrator],
                          capture_output=True, text=True, check=True)
    record = json.loads(done.stdout)
    return record["seconds"], record["peak_mb"]


def engines(arguments):
    return {
        "Pare, percentile": (arguments.samples, lambda *a: with_pare(*a, "percentile")),
        "Pare, entropy": (arguments.samples, lambda *a: with_pare(*a, "entropy")),
        "NNCF": (arguments.samples, with_nncf),
        "ONNX Runtime, entropy": (arguments.entropy_samples, with_onnxruntime),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--entropy-samples", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    rows = engines(arguments)
    if arguments.engine:
        samples, calibrate = rows[arguments.engine]
        seconds, megabytes = calibrate(arguments.folder, samples, arguments.threads)
        print(json.dumps({"seconds": seconds, "megabytes": megabytes}))
        return
    found = {name: [] for name in rows}
    for _ in range(arguments.rounds):
        for name in rows:
            done = subprocess.run([sys.executable, __file__, *sys.argv[1:], "--engine", name], capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{name}: {done.stderr.strip()}")
            found[name].append(json.loads(done.stdout.splitlines()[-1]))
    print("| engine | images | seconds | peak memory, MB |\n|---|---|---|---|")
    for name, runs in found.items():
        seconds = statistics.median(run["seconds"] for run in runs)
        megabytes = statistics.median(run["megabytes"] for run in runs)
        print(f"| {name} | {rows[name][0]} | {seconds:.1f} | {megabytes:.0f} |")


if __name__ == "__main__":
    main()
