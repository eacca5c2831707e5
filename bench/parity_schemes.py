#!/usr/bin/env python3
"""Every scheme, format and method that `pare quantize` writes, run by Pare and by ONNX Runtime (newest, default
optimizations) on Fashion-MNIST's test images.

For each file: the share of images with the same top-1; the largest difference of the logits as a share of their range; and
of the quantized tensors inside, made outputs of the graph: how many, the largest difference in units in the last place, the
share of elements that differ, and of these the share whose value, as the graph means it in float, lies within a thousandth of
a step of a tie between two integers.

    make oracles && .venv/bin/python bench/parity_schemes.py examples/models/fmnist_convnet.onnx [--only qat] [--write PAGE]

With --write the table replaces what stands between the page's `parity_schemes` markers.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

from parity import CHUNK, ROOT, relative_error, test_set

INSIDE = 500  # images whose tensors are compared
QLINEAR = {"QuantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd", "QLinearConcat", "QLinearAveragePool",
           "QLinearGlobalAveragePool"}
STATIC = {
    "static": [],
    "static, symmetric activations": ["--activations-scheme", "symmetric"],
    "static, one scale a tensor": ["--weights-granularity", "tensor"],
    "static, power-of-two scales": ["--weights-scales", "power-of-two", "--activations-scales", "power-of-two"],
    "static, percentile": ["--activations-calibrator", "percentile"],
    "static, entropy": ["--activations-calibrator", "entropy"],
    "static, W4A8": ["--weights-bits", 4],
    "static, W4A8, ranges fitted": ["--weights-bits", 4, "--activations-fit"],
    "static, W2A8": ["--weights-bits", 2],
    "static, W4A8, AdaRound": ["--weights-bits", 4, "--weights-rounding", "adaround", "--weights-iterations", 100],
    "static, W4A8, BRECQ": ["--weights-bits", 4, "--weights-rounding", "brecq", "--weights-iterations", 100],
    "static, binary weights": ["--weights-bits", 1],
    "static, ternary weights": ["--weights-quantizer", "ternary"],
    "static, affine weights": ["--weights-scheme", "affine"],
    "static, 4-bit activations": ["--activations-bits", 4],
    "static, W4A4": ["--weights-bits", 4, "--activations-bits", 4],
    "static, mixed bits": ["--mixed", "--mixed-average", 4],
    "static, 16-bit activations": ["--activations-bits", 16],
    "static, 16-bit activations, symmetric": ["--activations-bits", 16, "--activations-scheme", "symmetric"],
    "static, one layer with 16 bits": ["--activations-wide", "last"],
    "static, equalized": ["--equalize"],
    "QOperator": ["--format", "qoperator"],
    "target onnxruntime": ["--target", "onnxruntime"],
    "target openvino": ["--target", "openvino"],
    "target tensorrt": ["--target", "tensorrt"],
}
OTHERS = {
    "dynamic": ["--method", "dynamic"],
    "dynamic, affine weights": ["--method", "dynamic", "--weights-scheme", "affine"],
    "weight_only, int4 in groups of 32": ["--method", "weight_only"],
    "weight_only, symmetric int4": ["--method", "weight_only", "--weights-scheme", "symmetric"],
    "weight_only, 2 bits": ["--method", "weight_only", "--weights-bits", 2],
    "weight_only, convolutions in groups of 8": ["--method", "weight_only", "--weights-conv-group-size", 8],
    "weight_only, 8 bits by channel": ["--method", "weight_only", "--weights-bits", 8, "--weights-group-size", 0],
    "codebook, 16 entries a channel": ["--method", "codebook"],
    "codebook, 256 logarithmic levels": ["--method", "codebook", "--levels", "log", "--entries", 256],
    "codebook, binary": ["--method", "codebook", "--levels", "binary"],
    "codebook, ternary": ["--method", "codebook", "--levels", "ternary"],
    "codebook, vectors of 4": ["--method", "codebook", "--vector", 4, "--entries", 256, "--exclude", "first"],
    "qat, W4A8": ["--method", "qat"],
    "qat, W2A2": ["--method", "qat", "--weights-bits", 2, "--activations-bits", 2],
    "qat, binary": ["--method", "qat", "--weights-bits", 1],
    "qat, ternary": ["--method", "qat", "--weights-quantizer", "ternary"],
    "qat, DoReFa, PACT": ["--method", "qat", "--weights-quantizer", "dorefa", "--activations-quantizer", "pact",
                          "--activations-bits", 4],
    "qat, power-of-two scales": ["--method", "qat", "--weights-scales", "power-of-two"],
    "qat, target tensorrt": ["--method", "qat", "--weights-bits", 8, "--target", "tensorrt"],
    "qat, weights alone, groups of 32": ["--method", "qat", "--activations-quantizer", "none", "--weights-group-size", 32],
}
CONVERTED = {"float16": ["--precision", "f16"], "bfloat16 weights": ["--precision", "bf16"]}


def write(pare, name, model, data, out):
    if name in CONVERTED:
        command = [pare, "convert", model, out, *CONVERTED[name]]
    else:
        flags = {**STATIC, **OTHERS}[name]
        command = [pare, "quantize", model, "--data", data, "-o", out, *flags]
        if "qat" in flags:
            command += ["--epochs", 0.1]
    subprocess.run([*map(str, command), "--quiet"], check=True, stdout=subprocess.DEVNULL)


def session(model, optimized=True):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # Without VNNI, ONNX Runtime adds u8·s8 products in 16 bits, which saturate; this makes it exact on every CPU.
    options.add_session_config_entry("session.x64quantprecision", "1")
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def run_onnxruntime(model, images, optimized=True):
    one = session(model, optimized)
    names = [output.name for output in one.get_outputs()]
    parts = [one.run(None, {"image": images[i:i + CHUNK]}) for i in range(0, len(images), CHUNK)]
    return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)}


def run_pare(pare, model, images, folder):
    parts = []
    for begin in range(0, len(images), CHUNK):
        np.save(folder / "x.npy", images[begin:begin + CHUNK])
        subprocess.run([pare, "run", model, "--input", f"image={folder / 'x.npy'}", "-o", folder / "y.npz", "--force",
                        "--quiet"], check=True, stdout=subprocess.DEVNULL)
        parts.append(dict(np.load(folder / "y.npz")))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def with_outputs(path, out, names):
    model = onnx.load(path)
    known = {output.name for output in model.graph.output}
    for name in names:
        if name not in known:
            model.graph.output.append(onnx.ValueInfoProto(name=name))
    inferred = onnx.shape_inference.infer_shapes(model)
    types = {value.name: value for value in inferred.graph.value_info}
    for i, output in enumerate(model.graph.output):
        if not output.HasField("type") and output.name in types:
            model.graph.output[i].CopyFrom(types[output.name])
    onnx.save(model, out)


def quantized_tensors(path):
    """Names of quantized activations, and for those that a QuantizeLinear makes its float input and step."""
    graph = onnx.load(path).graph
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    made = {}
    for node in graph.node:
        if node.op_type not in QLINEAR or all(name in constants for name in node.input if name):
            continue
        source = node.input[0] if node.op_type == "QuantizeLinear" else None
        made[node.output[0]] = (source, constants.get(node.input[1]) if source else None)
    return made


def compare_inside(pare, path, images, folder):
    """Number of tensors, largest difference, share of elements that differ, and of these the ties."""
    made = quantized_tensors(path)
    if not made:
        return None
    exposed = folder / "exposed.onnx"
    with_outputs(path, exposed, made)
    ours, theirs = run_pare(pare, exposed, images, folder), run_onnxruntime(exposed, images)
    floats = {name: source for name, (source, _) in made.items() if source}
    with_outputs(path, exposed, floats.values())
    meant = {"image": images, **run_onnxruntime(exposed, images, optimized=False)}
    largest = differing = elements = ties = 0
    for name in made:
        off = np.abs(ours[name].astype(np.int64) - theirs[name].astype(np.int64))
        largest, differing, elements = max(largest, int(off.max())), differing + int((off > 0).sum()), elements + off.size
        if name in floats and floats[name] in meant:
            steps = meant[floats[name]].astype(np.float64)[off > 0] / float(made[name][1])
            ties += int((np.abs(np.abs(steps - np.round(steps)) - 0.5) < 1e-3).sum())
    return len(made), largest, differing / elements, ties / differing if differing else None


def measure(pare, name, model, data, images, labels, folder):
    path = folder / "m.onnx"
    write(pare, name, model, data, path)
    row = {"name": name, "bytes": path.stat().st_size}
    ours = run_pare(pare, path, images, folder)["logits"].astype(np.float32)
    row["top1"] = 100 * float((ours.argmax(1) == labels).mean())
    try:
        theirs = run_onnxruntime(path, images)["logits"].astype(np.float32)
    except Exception as error:  # what it has no kernel for is part of the result
        row["refused"] = str(error).split(" : ")[-1].splitlines()[0][:100]
        return row
    row["same"] = 100 * float((ours.argmax(1) == theirs.argmax(1)).mean())
    row["error"] = relative_error(ours, theirs)
    row["inside"] = compare_inside(pare, path, images[:INSIDE], folder)
    return row


def line(row):
    head = f"| {row['name']} | {row['bytes'] / 1000:.0f} kB | {row['top1']:.2f} % |"
    if "refused" in row:
        return f"{head} ONNX Runtime: {row['refused']} | | | | |"
    text = f"{head} {row['same']:.2f} % | {row['error']:.0e} |"
    if row["inside"] is None:
        return f"{text} 0 | | |"
    count, largest, differing, ties = row["inside"]
    told = "" if ties is None else f", {100 * ties:.0f} % of them ties"
    return f"{text} {count} | {largest} | {100 * differing:.4f} %{told} |"


def table(rows, count):
    head = (f"{count} test images, tensors on {INSIDE}; ONNX Runtime {onnxruntime.__version__}.\n\n"
            "| | bytes | top-1 | same top-1 | logits | quantized tensors | largest difference | elements that differ |\n"
            "|---|--:|--:|--:|--:|--:|--:|--:|\n")
    return head + "\n".join(map(line, rows)) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--images", type=int, default=10000)
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "examples/data/fmnist.yaml")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--write", type=pathlib.Path, help="a page with the markers")
    parser.add_argument("--pare", default=os.environ.get("PARE", str(ROOT / "build/bin/pare")))
    arguments = parser.parse_args()
    images, labels = test_set(arguments.images)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for scheme in [*STATIC, *OTHERS, *CONVERTED]:
            if arguments.only not in scheme:
                continue
            for stale in pathlib.Path(name).iterdir():
                stale.unlink()
            rows.append(measure(arguments.pare, scheme, arguments.model, arguments.data, images, labels, pathlib.Path(name)))
            print(line(rows[-1]), file=sys.stderr, flush=True)
    text = table(rows, len(images))
    if not arguments.write:
        print(text)
        return
    page = arguments.write.read_text()
    markers = re.compile(r"(<!-- parity_schemes -->\n).*?(<!-- /parity_schemes -->)", re.S)
    if not markers.search(page):
        sys.exit(f"{arguments.write}: no parity_schemes markers")
    arguments.write.write_text(markers.sub(lambda found: found[1] + text + found[2], page))


if __name__ == "__main__":
    main()
