#!/usr/bin/env python3
"""The run.json files of the textbook experiments as a page: what is commonly reported, and what Pare measured.
Usage: table.py FOLDER PAGE.md"""
import json
import pathlib
import sys

# Folder of the run; title; what is commonly reported, for the original and after each step: top-1 in percent (and size).
EXPERIMENTS = [
    ("mlp", "MLP 784-256-64-10, 75 % pruned", [None, None, None]),
    ("simplenet", "SimpleNet 10-50-2, 50 % pruned, dynamic int8", [None, None, None]),
    ("classifier", "3×32×32 classifier (conv 16, conv 32, fc 256, fc 10), int8", [None, None]),
    ("convnet", "two convolutions, 50 % L1 pruned, 1 epoch, int8", ["98.2 (MNIST)", None, "97.5", "97.0"]),
    ("resnet18_prune", "ResNet-18, 20 % L1 pruned", ["94.51", "93.78, −26 %"]),
    ("resnet18_uniform", "ResNet-18, uniform 8-bit", ["94.51", "93.62, −75 %"]),
    ("resnet18_log", "ResNet-18, logarithmic 8-bit", ["94.51", "93.91, −75 %"]),
]

HEAD = """# Textbook experiments

Written by `examples/textbook/run --resnet18 MODEL.onnx --page docs/textbook.md`; every figure of the column "Pare" is read from a `run.json`.

Five experiments that textbooks and tutorials make, as recipes in `examples/textbook`. The networks are made by `networks.py` without
weights and trained by `pare finetune --from-scratch`; the ResNet-18 is a trained one that the command is given, since training it takes
an hour. "Commonly reported" figures are for other data, MNIST for the two convolutions and CIFAR-10 for ResNet-18, and for sizes as
`torch.save` or a simulation counts them; ours are for the test split of Fashion-MNIST (resized to 32×32 and with three equal channels
for the 3×32×32 classifier; a made-up table of ten features for SimpleNet), measured on the kernels that ship. Compare drops, not
levels. SimpleNet is small for its table and has nothing to spare: half of its weights cost what they cost.

| experiment | | commonly reported, % | Pare, % | points | file | as gzip |
|---|---|---|---|---|---|---|
"""

TAIL = """
Sizes are against the original's. Zeros save nothing in an ONNX file, which stores them, but do as gzip (and in a `.pare` file); {machine}.
"""


def title(step):
    method = step.get("method") or ""
    return f"{step['step']} {method}".strip() if method != step["step"] else step["step"]


def change(before, after):
    return f"{100 * (after / before - 1):+.0f} %".replace("-", "−")


def rows(run, name, reported):
    top1 = run["before"]["test"]["top1"]
    yield [name, "original", reported[0] or "—", f"{top1:.2f}", "", "", ""]
    for step, said in zip(run["steps"], reported[1:]):
        now = step["summary"]
        if "test" not in now:
            continue
        yield ["", title(step), said or "—", f"{now['test']['top1']:.2f}",
               f"{now['test']['top1'] - top1:+.2f}".replace("-", "−"), change(run["before"]["file_bytes"], now["file_bytes"]),
               change(run["before"]["gzip_bytes"], now["gzip_bytes"])]


def main():
    folder, page = map(pathlib.Path, sys.argv[1:3])
    text, machine = HEAD, ""
    for name, words, reported in EXPERIMENTS:
        path = folder / name / "run.json"
        if not path.exists():
            continue
        run = json.loads(path.read_text())
        for row in rows(run, words, reported):
            text += "| " + " | ".join(row) + " |\n"
        environment = run["environment"]
        machine = f"{environment['cpu']}, {environment['threads']} threads"
    if not machine:
        raise SystemExit(f"no run.json in {folder}: run examples/textbook/run first")
    page.write_text(text + TAIL.format(machine=machine))
    print(page)


if __name__ == "__main__":
    main()
