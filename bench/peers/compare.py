#!/usr/bin/env python3
"""Times Pare and its peers in turns, each run in its own process, and prints a table of median latencies with the ratio of the best
peer to Pare (above 1: Pare is faster).

    bench/peers/run                                    the whole table
    bench/peers/run --only resnet50 --threads 1        a part of it
    bench/peers/run --output bench/peers/results.json  keeps the figures, with machine, instruction sets and commit
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

from export import NETWORKS

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENGINE = pathlib.Path(__file__).resolve().parent / "engine.py"


def run_pare(pare, model, threads, batch, seconds, precision):
    command = [pare, "bench", str(model), "--threads", str(threads), "--seconds", str(seconds), "--json", "--quiet"]
    if "minilm" in model.name:
        command += ["--shape", f"input_ids={batch}x128", "--shape", f"attention_mask={batch}x128"]
    else:
        command += ["--batch", str(batch)]
    if precision == "bf16":
        command += ["--precision", "bf16"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout)["results"][0]["latency"]["median_ms"]


def run_peer(engine, model, threads, batch, seconds, precision):
    command = [sys.executable, str(ENGINE), engine, str(model), str(threads), str(batch), str(seconds), precision]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return float(done.stdout.split()[-1])


def engines_of(precision):
    return ["pare", "openvino"] if precision == "bf16" else ["pare", "onnxruntime", "openvino"]


def measure(options, name, precision, threads):
    """Median over the rounds, by engine; None where an engine refuses."""
    model = pathlib.Path(options.models) / (f"{name}.int8.onnx" if precision == "int8" else f"{name}.onnx")
    engines, times, faults = engines_of(precision), {}, {}
    for _ in range(options.rounds):
        for engine in engines:
            if engine in faults:
                continue
            try:
                hint = "bf16" if precision == "bf16" else "f32"
                if engine == "pare":
                    took = run_pare(options.pare, model, threads, options.batch, options.seconds, hint)
                else:
                    took = run_peer(engine, model, threads, options.batch, options.seconds, hint)
                times.setdefault(engine, []).append(took)
            except RuntimeError as error:
                faults[engine] = str(error)
                print(f"{name} {precision}: {engine}: {error}", file=sys.stderr)
    return {engine: statistics.median(values) for engine, values in times.items()}


def describe(options):
    doctor = json.loads(subprocess.run([options.pare, "doctor", "--json"], capture_output=True, text=True, check=True).stdout)
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "")
    return {"commit": commit.strip(), "cpu": doctor.get("cpu", platform.processor()), "amx": "amx_int8" in flags,
            "onednn_max_cpu_isa": os.environ.get("ONEDNN_MAX_CPU_ISA", ""), "batch": options.batch, "rounds": options.rounds}


def print_row(row):
    best = min((time for engine, time in row["ms"].items() if engine != "pare"), default=None)
    cells = [f"{row['ms'][e]:9.2f}" if e in row["ms"] else f"{'-':>9}" for e in ("pare", "onnxruntime", "openvino")]
    ratio = best / row["ms"]["pare"] if best and "pare" in row["ms"] else None
    print(f"{row['model']:20} {row['precision']:5} {row['threads']:7} " + " ".join(cells) + (f" {ratio:6.2f}" if ratio else ""))
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", help="folder of the exported models")
    parser.add_argument("--pare", default=str(ROOT / "build/bin/pare"))
    parser.add_argument("--only", default=",".join(NETWORKS))
    parser.add_argument("--precision", default="f32,bf16,int8")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", help="JSON file for the figures")
    options = parser.parse_args()
    rows, ratios = [], {}
    print(f"{'model':20} {'type':5} {'threads':>7} {'pare':>9} {'ort':>9} {'openvino':>9}  ratio")
    for threads in map(int, options.threads.split(",")):
        for precision in options.precision.split(","):
            for name in options.only.split(","):
                row = {"model": name, "precision": precision, "threads": threads,
                       "ms": measure(options, name, precision, threads)}
                rows.append(row)
                ratio = print_row(row)
                if ratio:
                    ratios.setdefault((precision, threads), []).append(ratio)
    for (precision, threads), values in ratios.items():
        print(f"geometric mean, {precision}, {threads} threads: {statistics.geometric_mean(values):.2f} (least {min(values):.2f})")
    if options.output:
        pathlib.Path(options.output).write_text(json.dumps({**describe(options), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
