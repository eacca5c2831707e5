"""Time and memory of one-shot pruning with reconstruction on ResNet-50: `pare prune --method obs`, 512 images of 224×224.

usage: obs.py PARE WORK [--pattern 8:64] [--sparsity 0.5] [--samples 512] [--threads 2] [-- FURTHER FLAGS]

Weights are random with BatchNorm statistics of their own activations, images smooth noise as JPEG files: neither changes what
there is to compute. Memory is the high-water mark of the process less that of `pare --version`.
"""
import argparse
import json
import os
import pathlib
import subprocess
import time

import numpy as np
import torch
import torchvision
from PIL import Image

import export
import zoo

SIZE = 224


def write_model(path):
    row = zoo.Row("ResNet-50", "torchvision", lambda: torchvision.models.resnet50(weights=None), zoo.images(SIZE))
    reason = export.export(row, "torchscript", path)
    if reason:
        raise SystemExit(reason)
    pathlib.Path(f"{path}.npz").unlink()


def write_images(folder, count):
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    for i in range(count):
        small = Image.fromarray(draw.integers(0, 256, (28, 28, 3), dtype=np.uint8))
        small.resize((SIZE, SIZE), Image.BICUBIC).save(folder / f"{i:04d}.jpg", quality=90)
    (folder / "list.csv").write_text("file,label\n" + "".join(f"{i:04d}.jpg,{i % 1000}\n" for i in range(count)))


def measured(command):
    """Wall and CPU seconds, high-water mark in MB, of a process of its own."""
    start = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(map(str, command))}: {error.strip()}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pare")
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--pattern", default="8:64")
    parser.add_argument("--sparsity")
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("flags", nargs="*", help="further flags of `pare prune`, behind --")
    arguments = parser.parse_args()
    work = arguments.work / "obs"
    work.mkdir(parents=True, exist_ok=True)
    model, images, data = work / "resnet50.onnx", work / "images", work / "data.yaml"
    if not model.exists():
        write_model(model)
    if not images.exists():
        write_images(images, 512)
    data.write_text(f"train: {{format: csv, file: {(images / 'list.csv').resolve()}}}\nval: {{holdout: 0}}\n"
                    "preprocess: {scale: 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}\n")
    amount = ["--sparsity", arguments.sparsity] if arguments.sparsity else []
    command = [arguments.pare, "prune", model, "--method", "obs", "--pattern", arguments.pattern, *amount, "--samples",
               arguments.samples, "--threads", arguments.threads, "--data", data, "-o", work / "out.onnx", "--force", "--quiet",
               "--report", work / "report", *arguments.flags]
    idle = measured([arguments.pare, "--version"])[2]
    wall, cpu, peak = measured(command)
    step = json.loads((work / "report/run.json").read_text())["steps"][0]
    print(f"{arguments.pattern} {arguments.sparsity or ''}, {len(step['pruned']['layers'])} layers, {arguments.samples} images, "
          f"{arguments.threads} threads: {wall:.0f} s ({cpu:.0f} s of CPU), {peak - idle:.0f} MB "
          f"over an idle process, of which the model is {model.stat().st_size / 2**20:.0f} MB; "
          f"sparsity {step['pruned']['sparsity']:.4f}")


if __name__ == "__main__":
    main()
