#!/usr/bin/env python3
"""The table of docs/sparsity.md from google-benchmark's JSON on standard input:

    OMP_NUM_THREADS=1 ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 build/bin/pare_bench_kernels --benchmark_filter=Sparse \
        --benchmark_format=json | bench/kernels/sparsity_table.py
"""
import json
import math
import sys

NETWORKS = {"r50": "ResNet-50", "mbv2": "MobileNetV2", "bert": "BERT-base, 128 rows"}
PATTERNS = ("32:64", "16:64", "8:64", "4:64")


def label(layer):
    parts = layer.split("_")
    shape = f", {parts[4]}×{parts[4]}, {parts[3]}×{parts[3]}" if len(parts) > 4 else ""
    return f"{NETWORKS[parts[0]]} {parts[1]} → {parts[2]}{shape}"


def main():
    times = {tuple(row["name"].split("/")[1:3]): row["real_time"] for row in json.load(sys.stdin)["benchmarks"]}
    layers = [layer for pattern, layer in times if pattern == "dense"]
    gain = lambda layer, pattern: times[("dense", layer)] / times[(pattern, layer)]
    print("| layer | dense, µs | " + " | ".join(PATTERNS) + " |\n|---|" + "--:|" * (1 + len(PATTERNS)))
    for layer in layers:
        print(f"| {label(layer)} | {times[('dense', layer)] / 1e3:.0f} | " + " | ".join(f"{gain(layer, p):.2f}" for p in PATTERNS) + " |")
    for network in ("r50", "bert"):
        rows = [layer for layer in layers if layer.startswith(network)]
        means = [math.exp(sum(math.log(gain(layer, p)) for layer in rows) / len(rows)) for p in PATTERNS]
        print(f"| **geometric mean, {NETWORKS[network].split(',')[0]}** | | " + " | ".join(f"{m:.2f}" for m in means) + " |")


if __name__ == "__main__":
    main()
