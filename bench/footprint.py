#!/usr/bin/env python3
"""Start-up time and memory of the command line.

Median wall time of `pare --help` and `pare inspect` over some runs (LibTorch must not be loaded), and the peak memory of
`pare quantize` on 512 calibration images, its evaluations included, less that of an idle process (`pare --version`), against the model file's size.
With --inference instead: the peak memory of a first run, one sample on one thread, kernels by estimates, less that of an idle process, against
the weights as kernels hold them (--exact: without Winograd's, which are larger than the file's).

    bench/footprint.py MODEL... [--runs 20] [--inference [--exact]]
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(command):
    """Wall seconds and peak resident bytes of a command."""
    start = time.perf_counter()
    child = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit(f"failed: {command}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def inference(pare, models, exact, idle):
    for model in models:
        command = [str(pare), "bench", str(model), "--no-tune", "--threads", "1", "--seconds", "0.01", "--quiet"] + ["--exact"] * exact
        peak = run(command)[1] - idle
        result = json.loads(subprocess.run([*command, "--json"], capture_output=True, check=True).stdout)["results"][0]
        weights, file = result["weight_bytes"], model.stat().st_size
        print(f"inference {model.name:28} peak {peak / 1e6:6.1f} MB, {(peak - weights) / 1e6:5.1f} above the {weights / 1e6:.1f} of weights (file {file / 1e6:.1f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--inference", action="store_true")
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--pare", default=os.environ.get("PARE", str(ROOT / "build/bin/pare")))
    arguments = parser.parse_args()
    pare, models = arguments.pare, [pathlib.Path(m) for m in arguments.models]
    if arguments.inference:
        return inference(pare, models, arguments.exact, run([pare, "--version"])[1])
    for command in [[pare, "--help"], *([pare, "inspect", m] for m in models)]:
        times = [run(command)[0] for _ in range(arguments.runs + 1)][1:]
        print(f"{' '.join(['pare', *(pathlib.Path(c).name for c in command[1:])]):40} {1000 * statistics.median(times):7.1f} ms")
    idle = run([pare, "--version"])[1]
    for model in models:
        with tempfile.TemporaryDirectory() as folder:
            peak = run([pare, "quantize", model, "--data", ROOT / "examples/data/fmnist.yaml", "--activations-samples", "512",
                        "-o", pathlib.Path(folder) / "q.onnx"])[1] - idle
        size = model.stat().st_size
        print(f"calibrate {model.name:30} peak {peak / 1e6:7.1f} MB, file {size / 1e6:6.1f} MB, difference {(peak - size) / 1e6:7.1f} MB")


if __name__ == "__main__":
    main()
