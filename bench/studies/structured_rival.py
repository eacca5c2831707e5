"""Structured pruning at equal MACs, without fine-tuning: `pare prune --method filters` against onnxsim's apply_structured_pruning.

    bench/studies/structured_rival MODEL --data DATA.yaml [--macs 0.5 0.25] [--samples 512]

onnxsim removes channels by a share of each layer, so its share is bisected for the MACs; where all that it can remove leaves more,
the row says what it reaches. Both models are judged by `pare eval` on the test split. A table, a row for each: importance and scope of
onnxsim; importance, scope and reconstruction of Pare. `random` is the mean over --seeds.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile

import onnx
import onnxsim
from study import PARE, machine, run, table

MOST = 0.99  # of a layer's channels
OURS = ["l1:layer:none", "l2:layer:none", "l1:layer:least_squares", "random:layer:least_squares"]


def pare(*arguments):
    done = subprocess.run([PARE, *map(str, arguments), "--json", "--quiet"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"pare {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def macs_of(path, shape):
    return pare("inspect", path, *shape)["macs"]


def theirs(model, share, norm, whole_model, path):
    onnx.save(onnxsim.apply_structured_pruning(model, share, norm, whole_model), str(path))
    return path


def nearest(model, wanted, norm, whole_model, path, shape):
    """The least share that brings the MACs to `wanted` or below, or the largest there is."""
    whole = macs_of(theirs(model, 0, norm, whole_model, path), shape)
    low, high = 0.0, MOST
    reached = macs_of(theirs(model, high, norm, whole_model, path), shape) / whole
    for _ in range(8 if reached <= wanted else 0):
        middle = (low + high) / 2
        if macs_of(theirs(model, middle, norm, whole_model, path), shape) / whole <= wanted:
            high = middle
        else:
            low = middle
    return macs_of(theirs(model, high, norm, whole_model, path), shape) / whole


def their_rows(arguments, wanted, folder):
    model, rows = onnx.load(arguments.model), []
    for norm, whole_model in (("l1", False), ("l2", False), ("l2", True)):
        path = pathlib.Path(folder) / "theirs.onnx"
        reached = nearest(model, wanted, norm, whole_model, path, arguments.shape)
        top1 = pare("eval", path, "--data", arguments.data)["metrics"]["top1"]
        rows.append([f"{wanted}", "onnxsim 0.8.1", f"{norm}{', global' if whole_model else ''}", f"{reached:.3f}",
                     f"{top1:.2f}" + ("" if reached <= wanted else " (no fewer MACs possible)")])
        print(*rows[-1], flush=True)
    return rows


def our_rows(arguments, wanted):
    rows, record = [], None
    for way in arguments.ours:
        importance, scope, how = way.split(":")
        found = [run("prune", arguments.model, arguments.data, "--method", "filters", "--importance", importance, "--macs", wanted,
                     "--scope", scope, "--reconstruct", how, "--samples", arguments.samples, "--seed", seed)
                 for seed in range(arguments.seeds if importance == "random" else 1)]
        record = found[0]
        rows.append([f"{wanted}", "Pare", importance + (", global" if scope == "global" else "") + (f", {how}" if how != "none" else ""),
                     f"{record['after']['macs'] / record['before']['macs']:.3f}",
                     f"{statistics.mean(one['after']['test']['top1'] for one in found):.2f}"])
        print(*rows[-1], flush=True)
    return rows, record


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--macs", type=float, nargs="+", default=[0.5, 0.25])
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--ours", nargs="+", default=OURS, help="importance:scope:reconstruction")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shape", action="append", default=[], help="NAME=1x1x28x28, for inputs of free sizes")
    arguments = parser.parse_args()
    arguments.shape = [f"--shape={one}" for one in arguments.shape]
    rows, record = [], None
    with tempfile.TemporaryDirectory() as folder:
        for wanted in arguments.macs:
            rows += their_rows(arguments, wanted, folder)
            mine, record = our_rows(arguments, wanted)
            rows += mine
    print(f"{record['model']['name']}: {record['before']['test']['top1']:.2f} % before; {machine(record)}\n")
    print(table(["MACs wanted", "by", "how", "MACs reached", "test top-1, %"], rows))


if __name__ == "__main__":
    main()
