"""Exports every architecture by both exporters, takes each through Pare, and writes docs/architectures.md.

usage: table.py PARE OUT.md WORK [--only TEXT…] [--exporter NAME] [--keep]

WORK/results.json keeps what was found, so that a run over some rows (--only, --exporter) updates these in the table.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import torch
import torchvision
from onnx import TensorProto, helper

import export
import zoo

COLUMNS = ("exported", "loads", "equal", "trains", "reloads")
BOUND = 1e-4


class Failure(Exception):
    """A cell that is not what it should be, with its reason."""


def run(pare, *arguments, timeout=900):
    """Standard output of the command; its error line as a Failure."""
    try:
        done = subprocess.run([pare, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Failure(f"takes longer than {timeout} s")
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("pare: error: ")]
        raise Failure((lines[0][13:] if lines else f"exit status {done.returncode}: {done.stderr[-200:]}").strip())
    return done.stdout


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def first_samples(inputs, count):
    return {name: array[:count] for name, array in inputs.items()}


def error_of(got, want):
    """Largest difference as a part of the range; infinite when types or shapes differ."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return float("inf")
    if want.size == 0:
        return 0.0
    if want.dtype.kind != "f":
        return 0.0 if np.array_equal(got, want) else float("inf")
    spread = float(want.max() - want.min()) or 1.0
    difference = float(np.abs(got - want).max()) / spread
    return difference if np.isfinite(difference) else float("inf")


def compare(pare, path, inputs, work):
    """Pare's outputs against ONNX Runtime's: the larger error of the whole batch and of its first sample."""
    runtime, worst = session(path), 0.0
    names = [port.name for port in runtime.get_outputs()]
    known = {port.name for port in runtime.get_inputs()}
    inputs = {name: array for name, array in inputs.items() if name in known}
    batch = len(next(iter(inputs.values())))
    for count in {batch, 1}:
        some = first_samples(inputs, count)
        np.savez(work / "in.npz", **some)
        run(pare, "run", path, "--inputs", work / "in.npz", "-o", work / "out.npz", "--force", "--quiet")
        with np.load(work / "out.npz") as got:
            for name, want in zip(names, runtime.run(None, some)):
                if want.dtype.kind == "f" and (not np.isfinite(want).all() or (want.size > 1 and np.ptp(want) == 0)):
                    raise Failure(f"ONNX Runtime's '{name}' is degenerate")
                worst = max(worst, error_of(got[name], want))
    if not worst <= BOUND:
        raise Failure(f"differs by {worst:.1e} of the range")
    return worst


def add_head(path, out, outputs):
    """For a loss over classes: every float output averaged over all axes but batch and channels (the last axis of rank 3),
    side by side. The graph before it is untouched."""
    model = onnx.load(str(path))
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    parts, classes = [], 0
    for name, array in outputs.items():
        if array.dtype != np.float32 or array.ndim < 2:
            continue
        axes = [1] if array.ndim == 3 else list(range(2, array.ndim))
        classes += array.shape[2 if array.ndim == 3 else 1]
        if not axes:
            parts.append(name)
            continue
        parts.append(f"{name}_mean")
        if opset >= 18:
            model.graph.initializer.append(helper.make_tensor(f"{name}_axes", TensorProto.INT64, [len(axes)], axes))
            model.graph.node.append(helper.make_node("ReduceMean", [name, f"{name}_axes"], [parts[-1]], f"head_{name}", keepdims=0))
        else:
            model.graph.node.append(helper.make_node("ReduceMean", [name], [parts[-1]], f"head_{name}", axes=axes, keepdims=0))
    if not parts:
        raise Failure("no output to train: none is float32 of rank 2 and more")
    model.graph.node.append(helper.make_node("Concat", parts, ["head_scores"], "head_concat", axis=1))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("head_scores", TensorProto.FLOAT, [None, classes]))
    onnx.save(model, str(out))
    return classes


def data_file(row, classes, work):
    """Four samples to train one step of four on, two to hold out, two to test; labels at random."""
    rng = np.random.default_rng(3)
    torch.manual_seed(2)
    for split, count in (("train", 4), ("val", 2), ("test", 2)):
        arrays = {name: value.numpy() for name, value in row.inputs(count).items()}
        np.savez(work / f"{split}.npz", labels=rng.integers(0, classes, count), **arrays)
    lines = [f"{split}: {{format: npz, file: {split}.npz, labels: labels}}" for split in ("train", "val", "test")]
    (work / "data.yaml").write_text("\n".join(lines) + "\n")


def train(pare, row, path, outputs, work):
    """One optimizer step by `pare finetune`; the loss before it."""
    if not row.batched:
        raise Failure("a detector's final boxes have no loss over classes")
    classes = add_head(path, work / "head.onnx", outputs)
    data_file(row, classes, work)
    out = run(pare, "finetune", work / "head.onnx", "--data", work / "data.yaml", "-o", work / "tuned.onnx", "--epochs", 1,
              "--batch-size", 4, "--lr", 1e-3, "--schedule", "constant", "--precision", "f32", "--report", work / "report", "--force",
              "--quiet", "--json")
    loss = json.loads(out)["steps"][0]["curve"][-1]["train_loss"]
    if loss is None or not np.isfinite(loss):
        raise Failure(f"loss {loss}")
    return loss


def weights_of(path):
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(str(path)).graph.initializer}


def reload(pare, inputs, trained, path, work):
    """What Pare wrote loads in Pare and in ONNX Runtime, which agree on it; trained weights moved."""
    if not trained:  # nothing was trained: the conversion writes the model
        run(pare, "convert", path, work / "tuned.onnx", "--opset", 21, "--force", "--quiet")
    elif not set_apart(work / "head.onnx", work / "tuned.onnx"):
        raise Failure("no weight moved")
    run(pare, "check", work / "tuned.onnx", "--json")
    return compare(pare, work / "tuned.onnx", inputs, work)


def set_apart(before, after):
    """Whether any float weight differs; folding may rename and merge weights, so that their set differs already."""
    old, new = weights_of(before), weights_of(after)
    same = [name for name in new if name in old and old[name].shape == new[name].shape]
    return set(new) != set(old) or any(not np.array_equal(old[name], new[name]) for name in same)


def examine(pare, row, exporter, work, keep):
    """{column: (holds, text)} of one architecture and exporter; a cell after a failed one that it needs is None."""
    path = work / (re.sub(r"\W+", "_", row.name.lower()).strip("_") + f"_{exporter}.onnx")
    reason = "" if keep and path.exists() else export.export(row, exporter, path)
    if reason:
        return {"exported": (False, reason)}
    cells = {}
    with np.load(f"{path}.npz") as arrays:
        inputs = {name[3:]: arrays[name] for name in arrays.files if name.startswith("in:")}
        outputs = {name[4:]: arrays[name] for name in arrays.files if name.startswith("out:")}
    model = onnx.load(str(path))
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    cells["exported"] = (True, f"opset {opset}, {len(model.graph.node)} nodes")

    def cell(column, action):
        try:
            cells[column] = (True, action())
        except Failure as failure:
            cells[column] = (False, str(failure))

    cell("loads", lambda: checked(pare, path))
    cell("equal", lambda: f"{compare(pare, path, inputs, work):.0e}")
    cell("trains", lambda: f"loss {train(pare, row, path, outputs, work):.3g}")
    cell("reloads", lambda: f"{reload(pare, inputs, cells['trains'][0], path, work):.0e}")
    if not keep:
        for leftover in [path, pathlib.Path(f"{path}.npz"), work / "head.onnx", work / "tuned.onnx"]:
            leftover.unlink(missing_ok=True)
    return cells


def checked(pare, path):
    result = json.loads(run(pare, "check", path, "--json"))
    refusals = result["runtime"]["refusals"]
    if refusals:
        raise Failure(f"{len(refusals)} nodes refused: {refusals[0]['op_type']}: {refusals[0]['reason']}")
    return "yes"


HEAD = """# Architectures

Generated by `make architectures`; do not edit. Networks of torchvision, timm and transformers, and a few written out in
`bench/architectures/nets.py`, with random weights (seed 0, BatchNorm statistics of their own activations), exported by both of
PyTorch's exporters (TorchScript at opset 17, dynamo at its default) with a free batch. Versions: {versions}.

- **loads**: `pare check` finds the file valid and no node that the runtime refuses.
- **equal**: `pare run` against ONNX Runtime, batch {batch} and 1: the largest difference as a part of the output's range, at most 1e-4.
- **trains**: one step of `pare finetune` (batch 4, float32) ends with this loss. Where the output is not a row of class scores, it is
  averaged over positions first, which leaves the network before it as it is.
- **reloads**: the model that this wrote (or, untrained, `pare convert --opset 21`) loads in Pare and ONNX Runtime, which differ by this.
"""


def cell_text(cells, column):
    if column not in cells:
        return "–"
    holds, text = cells[column]
    text = text.replace("|", "/").replace("\n", " ")
    return text if holds else f"**no**: {text[:240]}"


def document(results):
    packages = [f"torch {torch.__version__.split('+')[0]}", f"torchvision {torchvision.__version__.split('+')[0]}",
                f"timm {zoo.timm.__version__}", f"transformers {zoo.hf.__version__}", f"ONNX Runtime {onnxruntime.__version__}"]
    lines = [HEAD.format(versions=", ".join(packages), batch=export.BATCH), ""]
    names = list(dict.fromkeys(name for name, _, _, _ in results))
    lines += ["| | " + " | ".join(export.EXPORTERS) + " |", "|---|" + "--:|" * len(export.EXPORTERS)]
    for column in COLUMNS:
        counts = []
        for exporter in export.EXPORTERS:
            mine = [cells for _, _, e, cells in results if e == exporter]
            written = sum(cells["exported"][0] for cells in mine)
            held = sum(column in cells and cells[column][0] for cells in mine)
            counts.append(f"{held} of {len(mine) if column == 'exported' else written}")
        lines.append(f"| {column} | " + " | ".join(counts) + " |")
    lines += ["", f"{len(names)} architectures.", "", "| architecture | from | exporter | exported | loads | equal | trains | reloads |",
              "|---|---|---|---|---|---|---|---|"]
    for name, source, exporter, cells in results:
        lines.append(f"| {name} | {source} | {exporter} | " + " | ".join(cell_text(cells, column) for column in COLUMNS) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pare")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--only", nargs="+", default=[""], help="rows whose names hold one of these")
    parser.add_argument("--exporter", choices=export.EXPORTERS)
    parser.add_argument("--keep", action="store_true", help="keep the exported files, and take those that are there")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    found = read_results(options.work)
    for row, exporter in [(row, exporter) for row in zoo.ROWS for exporter in export.EXPORTERS]:
        named = any(text.lower() in row.name.lower() for text in options.only)
        if not named or options.exporter not in (None, exporter):
            continue
        cells = examine(options.pare, row, exporter, options.work, options.keep)
        found[f"{row.name}/{exporter}"] = cells
        (options.work / "results.json").write_text(json.dumps(found, indent=1))
        print(f"{row.name}, {exporter}: " + "; ".join(f"{c} {cell_text(cells, c)}" for c in COLUMNS), file=sys.stderr, flush=True)
        options.out.write_text(document([(row.name, row.source, exporter, found[f"{row.name}/{exporter}"]) for row in zoo.ROWS
                                         for exporter in export.EXPORTERS if f"{row.name}/{exporter}" in found]))


def read_results(work):
    path = work / "results.json"
    return json.loads(path.read_text()) if path.exists() else {}


if __name__ == "__main__":
    main()
