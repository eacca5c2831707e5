#!/usr/bin/env python3
"""The scores of a quantized file in ONNX Runtime beside those in Pare, against the float model in ONNX Runtime.

    .venv/bin/python bench/onnxruntime_scores.py FLOAT.onnx QUANTIZED.onnx INPUTS.npz

INPUTS.npz: an array by the name of each input of the models, one row a sample; `labels`, class numbers, if there are any. Prints the
share of samples with the float model's top-1, the signal-to-noise ratio of the first output, and top-1 where there are labels.
"""
import argparse
import os
import pathlib
import subprocess
import tempfile

import numpy as np
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARE = os.environ.get("PARE", str(ROOT / "build/bin/pare"))
CHUNK = 32


def chunks(inputs):
    count = len(next(iter(inputs.values())))
    for begin in range(0, count, CHUNK):
        yield {name: array[begin:begin + CHUNK] for name, array in inputs.items()}


def by_onnxruntime(model, inputs):
    options = onnxruntime.SessionOptions()
    # Without VNNI, ONNX Runtime adds u8·s8 products in 16 bits, which saturate; this makes it exact on every CPU.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, part)[0] for part in chunks(inputs)])


def by_pare(model, inputs):
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        for part in chunks(inputs):
            flags = []
            for name, array in part.items():
                np.save(f"{folder}/{name}.npy", array)
                flags += ["--input", f"{name}={folder}/{name}.npy"]
            subprocess.run([PARE, "run", model, *flags, "-o", f"{folder}/out.npz", "--force", "--quiet"], check=True,
                           stdout=subprocess.DEVNULL)
            with np.load(f"{folder}/out.npz") as found:
                parts.append(found[found.files[0]])
    return np.concatenate(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("float_model")
    parser.add_argument("quantized")
    parser.add_argument("inputs")
    arguments = parser.parse_args()
    with np.load(arguments.inputs) as file:
        inputs = {name: file[name] for name in file.files}
    labels = inputs.pop("labels", None)
    wanted = by_onnxruntime(arguments.float_model, inputs)
    print("| in | top-1, % | agreement, % | SNR, dB |\n|---|---|---|---|")
    for name, found in (("float, ONNX Runtime", wanted), ("ONNX Runtime", by_onnxruntime(arguments.quantized, inputs)),
                        ("Pare", by_pare(arguments.quantized, inputs))):
        top1 = "" if labels is None else f"{100 * np.mean(found.argmax(-1) == labels):.2f}"
        agreement = 100 * np.mean(found.argmax(-1) == wanted.argmax(-1))
        noise = np.sum((found.astype(np.float64) - wanted) ** 2)
        ratio = "" if found is wanted else f"{10 * np.log10(np.sum(wanted.astype(np.float64) ** 2) / noise):.1f}"
        print(f"| {name} | {top1} | {agreement:.2f} | {ratio} |")


if __name__ == "__main__":
    main()
