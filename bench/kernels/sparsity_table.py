#!/usr/bin/env python3
"""The tables of docs/sparsity.md from google-benchmark's JSON on standard input, and its chart where a file is named:

    OMP_NUM_THREADS=1 ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 build/bin/pare_bench_kernels --benchmark_filter='Sparse|SpF32' \
        --benchmark_repetitions=3 --benchmark_enable_random_interleaving --benchmark_format=json \
        | bench/kernels/sparsity_table.py docs/sparsity.svg

Processor time, the least of the repetitions: the machine may have been shared."""
import json
import math
import sys

NETWORKS = {"r50": "ResNet-50", "mbv2": "MobileNetV2", "bert": "BERT-base, 128 rows"}
INTEGER = ("32:64", "16:64", "8:64", "4:64", "any 90 %", "uneven 90 %", "1x4 90 %", "any 90 % by blocks")
FLOAT = ("70", "80", "90", "95", "90 in panels")
# Pattern, colour: what the chart shows.
SERIES = (("Sparse", "8:64", "#1f6fb4"), ("Sparse", "4:64", "#7fb8e6"), ("Sparse", "any 90 %", "#d1741f"),
          ("Sparse", "1x4 90 %", "#3a9a5b"), ("SpF32", "90", "#c9a3e0"), ("SpF32", "90 in panels", "#8a4fb0"))


def label(layer):
    parts = layer.split("_")
    shape = f", {parts[4]}×{parts[4]}, {parts[3]}×{parts[3]}" if len(parts) > 4 else ""
    return f"{NETWORKS[parts[0]]} {parts[1]} → {parts[2]}{shape}"


def read(stream):
    """Nanoseconds by (family, pattern, layer), and the layers in the order of the bench."""
    times = {}
    for row in json.load(stream)["benchmarks"]:
        if row.get("run_type") != "aggregate":
            key = tuple(row["name"].split("/")[:3])
            times[key] = min(row["cpu_time"], times.get(key, math.inf))
    by_size = sorted({layer for _, _, layer in times}, key=lambda l: (list(NETWORKS).index(l.split("_")[0]), -int((l.split("_") + ["0"] * 4)[3]), l))
    return times, by_size


def table(times, layers, family, patterns, unit):
    gain = lambda layer, pattern: times[(family, "dense", layer)] / times[(family, pattern, layer)]
    print(f"| layer | dense {unit}, µs | " + " | ".join(patterns) + " |\n|---|" + "--:|" * (1 + len(patterns)))
    for layer in layers:
        print(f"| {label(layer)} | {times[(family, 'dense', layer)] / 1e3:.0f} | " + " | ".join(f"{gain(layer, p):.2f}" for p in patterns) + " |")
    for network in ("r50", "bert"):
        rows = [layer for layer in layers if layer.startswith(network)]
        means = [math.exp(sum(math.log(gain(layer, p)) for layer in rows) / len(rows)) for p in patterns]
        print(f"| **geometric mean, {NETWORKS[network].split(',')[0]}** | | " + " | ".join(f"{m:.2f}" for m in means) + " |")


def chart(times, layers):
    """One line a layer, one dot a pattern, speed-up over dense on a logarithmic axis."""
    left, top, row, width = 330, 64, 24, 520
    low, high = math.log2(0.5), math.log2(max(times[(f, "dense", l)] / times[(f, p, l)] for f, p, _ in SERIES for l in layers) * 1.1)
    x = lambda gain: left + width * (math.log2(gain) - low) / (high - low)
    height = top + row * len(layers) + 40
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 30} {height}" font-family="sans-serif" font-size="13">',
           '<rect width="100%" height="100%" fill="#fff"/>']
    for i, (family, pattern, colour) in enumerate(SERIES):
        name = f"int8, {pattern}" if family == "Sparse" else "f32, " + pattern.replace("90", "90 %")
        out.append(f'<circle cx="{20 + 142 * i}" cy="22" r="5" fill="{colour}"/><text x="{31 + 142 * i}" y="26">{name}</text>')
    for gain in (0.5, 1, 2, 4, 8):
        if math.log2(gain) <= high:
            line = "#888" if gain == 1 else "#ddd"
            out.append(f'<line x1="{x(gain):.1f}" x2="{x(gain):.1f}" y1="{top - 12}" y2="{height - 36}" stroke="{line}"/>'
                       f'<text x="{x(gain):.1f}" y="{height - 18}" text-anchor="middle" fill="#555">{gain}×</text>')
    for i, layer in enumerate(layers):
        y = top + row * i
        out.append(f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{label(layer)}</text>')
        for family, pattern, colour in SERIES:
            gain = times[(family, "dense", layer)] / times[(family, pattern, layer)]
            out.append(f'<circle cx="{x(gain):.1f}" cy="{y}" r="5" fill="{colour}"><title>{pattern}: {gain:.2f}</title></circle>')
    out.append(f'<text x="{left + width / 2}" y="{height - 2}" text-anchor="middle" fill="#555">times as fast as the dense layer</text></svg>')
    return "\n".join(out) + "\n"


def main():
    times, layers = read(sys.stdin)
    table(times, layers, "Sparse", INTEGER, "int8")
    print()
    table(times, layers, "SpF32", tuple(FLOAT), "f32")
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            file.write(chart(times, layers))


if __name__ == "__main__":
    main()
