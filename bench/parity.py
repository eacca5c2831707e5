#!/usr/bin/env python3
"""Pare's runtime against ONNX Runtime on Fashion-MNIST classifiers, in float32 and after `pare quantize`.

For each model: the largest difference of the float32 logits as a share of their range; accuracy of float32 and int8, both
from Pare's runtime; the share of test images on which Pare and ONNX Runtime give the int8 file the same top-1; the largest
difference of the int8 logits as a share of their range.

    make oracles && .venv/bin/python bench/parity.py examples/models/*.onnx [--images 10000]
"""
import argparse
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
ROOT = pathlib.Path(__file__).resolve().parent.parent
CHUNK = 500


def test_set(count):
    with gzip.open(DATA / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)[:count]
    with gzip.open(DATA / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)[:count]
    return ((pixels / np.float32(255) - np.float32(0.2860)) / np.float32(0.3530)).astype(np.float32), labels


def run_pare(pare, model, images, folder):
    parts = []
    for begin in range(0, len(images), CHUNK):
        np.save(folder / "x.npy", images[begin:begin + CHUNK])
        subprocess.run([pare, "run", model, "--input", f"image={folder / 'x.npy'}", "-o", folder / "y.npz", "--force",
                        "--quiet"], check=True, stdout=subprocess.DEVNULL)
        parts.append(np.load(folder / "y.npz")["logits"])
    return np.concatenate(parts)


def run_onnxruntime(model, images):
    options = onnxruntime.SessionOptions()
    # Without VNNI, ONNX Runtime adds u8·s8 products in 16 bits, which saturate; this makes it exact on every CPU.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"image": images[i:i + CHUNK]})[0] for i in range(0, len(images), CHUNK)])


def relative_error(ours, theirs):
    return float(np.abs(ours - theirs).max() / (theirs.max() - theirs.min()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--images", type=int, default=10000)
    parser.add_argument("--pare", default=os.environ.get("PARE", str(ROOT / "build/bin/pare")))
    arguments = parser.parse_args()
    images, labels = test_set(arguments.images)
    accuracy = lambda logits: 100 * float((logits.argmax(1) == labels).mean())
    rows = []
    for model in map(pathlib.Path, arguments.models):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            ours, theirs = run_pare(arguments.pare, model, images, folder), run_onnxruntime(model, images)
            quantized = folder / "int8.onnx"
            subprocess.run([arguments.pare, "quantize", model, "--data", ROOT / "examples/data/fmnist.yaml", "-o", quantized,
                            "--quiet"], check=True, stdout=subprocess.DEVNULL)
            ours8, theirs8 = run_pare(arguments.pare, quantized, images, folder), run_onnxruntime(quantized, images)
            rows.append({"model": model.stem, "f32_error": relative_error(ours, theirs), "f32_top1": accuracy(ours),
                         "int8_top1": accuracy(ours8), "int8_top1_onnxruntime": accuracy(theirs8),
                         "int8_same_top1": 100 * float((ours8.argmax(1) == theirs8.argmax(1)).mean()),
                         "int8_error": relative_error(ours8, theirs8),
                         "bytes": model.stat().st_size, "int8_bytes": quantized.stat().st_size})
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(f"{len(images)} test images, ONNX Runtime {onnxruntime.__version__}")
    print(f"{'model':18} {'f32 error':>10} {'f32 top-1':>9} {'int8 top-1':>10} {'drop':>6} {'same top-1':>10} {'int8 error':>10}")
    for row in rows:
        print(f"{row['model']:18} {row['f32_error']:10.1e} {row['f32_top1']:9.2f} {row['int8_top1']:10.2f} "
              f"{row['f32_top1'] - row['int8_top1']:6.2f} {row['int8_same_top1']:10.2f} {row['int8_error']:10.1e}")


if __name__ == "__main__":
    main()
