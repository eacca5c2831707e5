"""Structured pruning of every architecture: is the smaller model the original with the removed channels at zero?

usage: prune.py PARE OUT.md WORK [--only TEXT…] [--exporter NAME] [--importance l1] [--ratio 0.3] [--keep]

The masked original is made without Pare's knowledge of what belongs together: each constant that got smaller is compared
with what it was, element by element, which says what is gone of it, and there the original gets zeros. ONNX Runtime runs
both on the same inputs. WORK/prune.json keeps what was found, so that a run over some rows updates these in the table.
"""
import argparse
import collections
import json
import pathlib
import re

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

import export
import zoo
from table import BOUND, Failure, error_of, run

HEADER = ["architecture", "exporter", "channels", "parameters", "MACs", "difference", "cannot be pruned"]


def kept_along(before, after, axis):
    """Which entries of `axis` are still there: those that hold the values of the smaller constant's entries, in order. What
    another axis lost so does not matter."""
    big, small = np.moveaxis(before, axis, 0), np.moveaxis(after, axis, 0)
    big, small = big.reshape(len(big), -1), small.reshape(len(small), -1)
    kept, at = np.zeros(len(big), bool), 0
    for entry in small:
        values = np.unique(entry)[:8]  # eight floats in common are no chance
        while at < len(big) and not all((big[at] == value).any() for value in values):
            at += 1
        if at == len(big):
            raise Failure(f"a smaller constant of shape {after.shape} is no part of that of shape {before.shape}")
        kept[at] = True
        at += 1
    return kept


def masked(before, after):
    """`before` with zeros where `after` has nothing."""
    out = before.copy()
    for axis in range(before.ndim):
        if before.shape[axis] != after.shape[axis]:
            gone = ~kept_along(before, after, axis)
            np.moveaxis(out, axis, 0)[gone] = 0
    return out


def divisors(graph):
    return {node.input[1] for node in graph.node if node.op_type in ("Div", "Pow")}


def mask_model(whole, smaller, out):
    """Writes `whole` with zeros for what `smaller` lacks; how many constants differ."""
    model, pruned = onnx.load(str(whole)), onnx.load(str(smaller))
    there = {tensor.name: tensor for tensor in pruned.graph.initializer}
    leave, changed = divisors(model.graph), 0
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or tensor.name in leave or tensor.name not in there:
            continue
        if list(tensor.dims) == list(there[tensor.name].dims):
            continue
        value = masked(numpy_helper.to_array(tensor), numpy_helper.to_array(there[tensor.name]))
        tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
        changed += 1
    onnx.save(model, str(out))
    return changed


def outputs_of(path, inputs, level=onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level, options.graph_optimization_level = 2, 3, level
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    known = {port.name for port in session.get_inputs()}
    return session.run(None, {name: array for name, array in inputs.items() if name in known})


def totals(pare, path, inputs):
    shapes = [f"--shape={name}={'x'.join(map(str, (1,) + array.shape[1:]))}" for name, array in inputs.items()]
    found = json.loads(run(pare, "inspect", path, "--json", *shapes))
    return found["parameters"], found["macs"]


def refusals(groups):
    """Why groups stay whole, without the names that differ from one to the next."""
    reasons = collections.Counter()
    for group in groups:
        if group["reason"] and "rounding" not in group["reason"]:
            reasons[re.sub(r" '[^']*'", "", group["reason"])] += 1
    return "; ".join(f"{count}× {reason}" for reason, count in reasons.most_common())


def prune(pare, path, out, work, arguments):
    ratio = ("--ratio", arguments.ratio) if out.name != "whole.onnx" else ("--ratio", 0)
    run(pare, "prune", path, "--method", "filters", "--importance", arguments.importance, *ratio, "--round-to", 1, "-o", out,
        "--report", work / "report", "--force", "--quiet")
    return json.loads((work / "report/run.json").read_text())["steps"][0]["filters"]


def examine(pare, path, inputs, work, arguments):
    whole, smaller = work / "whole.onnx", work / "smaller.onnx"
    prune(pare, path, whole, work, arguments)
    record = prune(pare, path, smaller, work, arguments)
    onnx.checker.check_model(str(smaller))
    changed = mask_model(whole, smaller, work / "masked.onnx")
    original, want, got = (outputs_of(p, inputs) for p in (path, work / "masked.onnx", smaller))
    worst = max(error_of(a, b) for a, b in zip(got, want))
    moved = max(error_of(a, b) for a, b in zip(want, original))
    if not worst <= BOUND:
        raise Failure(f"differs from the masked original by {worst:.1e} of the range")
    if not changed or moved == 0:
        raise Failure("nothing was removed: " + refusals(record["groups"]))
    (params, macs), (fewer_params, fewer_macs) = totals(pare, whole, inputs), totals(pare, smaller, inputs)
    return {"channels": f"{record['channels_before']} → {record['channels_after']}",
            "parameters": f"{params / 1e6:.2f} M → {fewer_params / params:.2f}",
            "MACs": f"{macs / 1e6:.0f} M → {fewer_macs / macs:.2f}",
            "difference": f"{worst:.0e}", "cannot be pruned": refusals(record["groups"])}


def attempt(pare, row, exporter, work, arguments):
    path = work / (re.sub(r"[^a-z0-9]+", "_", row.name.lower()) + f"_{exporter}.onnx")
    if not path.exists():
        reason = export.export(row, exporter, path)
        if reason:
            return {"difference": f"not exported: {reason}"}
    with np.load(f"{path}.npz") as arrays:
        inputs = {name[3:]: arrays[name] for name in arrays.files if name.startswith("in:")}
    try:
        return examine(pare, path, inputs, work, arguments)
    except Failure as failure:
        return {"difference": f"**{failure}**"}
    finally:
        if not arguments.keep:
            path.unlink(missing_ok=True)


def write(found, out, arguments):
    rows = [[name, exporter] + [cells.get(column, "") for column in HEADER[2:]] for name, per in found.items() for exporter, cells in per.items()]
    lines = ["# Structured pruning of architectures", "",
             f"Generated by `bench/architectures/run --prune`: `pare prune --method filters --importance {arguments.importance} --ratio {arguments.ratio} --round-to 1`, random weights with BatchNorm",
             "statistics of their own activations. *difference*: the pruned model against the original with zeros for every weight",
             f"that went, both in ONNX Runtime, as a part of the output's range; at most {BOUND:.0e}. Parameters and MACs: before, and what share is left.", "",
             "| " + " | ".join(HEADER) + " |", "|---|---|--:|--:|--:|--:|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    out.write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pare")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--exporter", choices=export.EXPORTERS)
    parser.add_argument("--importance", default="l1")
    parser.add_argument("--ratio", type=float, default=0.3)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    store = arguments.work / "prune.json"
    known = json.loads(store.read_text()) if store.exists() else {}
    for row in zoo.ROWS:
        if arguments.only and not any(text.lower() in row.name.lower() for text in arguments.only):
            continue
        for exporter in [arguments.exporter] if arguments.exporter else export.EXPORTERS:
            cells = attempt(arguments.pare, row, exporter, arguments.work, arguments)
            known.setdefault(row.name, {})[exporter] = cells
            store.write_text(json.dumps(known))
            print(row.name, exporter, *cells.values(), sep=" | ", flush=True)
    order = {row.name: known[row.name] for row in zoo.ROWS if row.name in known}
    write(order, arguments.out, arguments)


if __name__ == "__main__":
    main()
