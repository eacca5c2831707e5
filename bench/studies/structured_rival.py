"""Structured pruning at equal MACs, without and with fine-tuning: `pare prune --method filters` against onnxsim's
apply_structured_pruning.

    bench/studies/structured_rival MODEL --data DATA.yaml [--macs 0.5 0.25] [--samples 512]
                                   [--epochs 3 --lr 0.01 --limit 20000] [--ours l1:layer:least_squares] [--theirs l1:layer l2:global]

onnxsim removes channels by a share of each layer, so its share is bisected for the MACs; where all that it can remove leaves more,
the row says what it reaches. Both models are judged by `pare eval` on the test split. With --epochs each of them is then trained by
`pare distill`, taught by the original model and the labels, with the same settings, and judged again. A table, a row for each:
importance and scope of onnxsim; importance, scope and reconstruction of Pare. `random` is the mean over --seeds.
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
THEIRS = ["l1:layer", "l2:layer", "l2:global"]


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


def trained(arguments, path):
    """Test accuracy of the model after --epochs; None without any."""
    if not arguments.epochs:
        return None
    record = run("distill", path, arguments.data, "--teacher", arguments.model, "--epochs", arguments.epochs, "--lr", arguments.lr,
                 "--limit", arguments.limit, "--batch-size", arguments.batch_size, "--seed", 0)
    return record["after"]["test"]["top1"]


def row_of(wanted, by, how, reached, top1, tuned):
    """`top1` and `tuned`: of each seed."""
    after = [f"{statistics.mean(tuned):.2f}"] if tuned[0] is not None else []
    row = [f"{wanted}", by, how, f"{reached:.3f}" + ("" if reached <= wanted else " (no fewer possible)"),
           f"{statistics.mean(top1):.2f}", *after]
    print(*row, flush=True)
    return row


def their_rows(arguments, wanted, folder):
    model, rows = onnx.load(arguments.model), []
    for way in arguments.theirs:
        norm, scope = way.split(":")
        path = pathlib.Path(folder) / "theirs.onnx"
        reached = nearest(model, wanted, norm, scope == "global", path, arguments.shape)
        top1 = pare("eval", path, "--data", arguments.data)["metrics"]["top1"]
        rows.append(row_of(wanted, "onnxsim 0.8.1", norm + (", global" if scope == "global" else ""), reached, [top1],
                           [trained(arguments, path)]))
    return rows


def our_rows(arguments, wanted, folder):
    rows, record = [], None
    for way in arguments.ours:
        importance, scope, how = way.split(":")
        path, top1, tuned = pathlib.Path(folder) / "ours.onnx", [], []
        for seed in range(arguments.seeds if importance == "random" else 1):
            record = run("prune", arguments.model, arguments.data, "--method", "filters", "--importance", importance, "--macs", wanted,
                         "--scope", scope, "--reconstruct", how, "--samples", arguments.samples, "--seed", seed, out=path)
            top1.append(record["after"]["test"]["top1"])
            tuned.append(trained(arguments, path))
        rows.append(row_of(wanted, "Pare", importance + (", global" if scope == "global" else "") + (f", {how}" if how != "none" else ""),
                           record["after"]["macs"] / record["before"]["macs"], top1, tuned))
    return rows, record


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--macs", type=float, nargs="+", default=[0.5, 0.25])
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--ours", nargs="+", default=OURS, help="importance:scope:reconstruction")
    parser.add_argument("--theirs", nargs="+", default=THEIRS, help="norm:scope")
    parser.add_argument("--epochs", type=float, default=0, help="of fine-tuning for both; 0: none")
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--limit", type=int, default=0, help="training samples of an epoch; 0: all")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shape", action="append", default=[], help="NAME=1x1x28x28, for inputs of free sizes")
    arguments = parser.parse_args()
    arguments.shape = [f"--shape={one}" for one in arguments.shape]
    rows, record = [], None
    with tempfile.TemporaryDirectory() as folder:
        for wanted in arguments.macs:
            rows += their_rows(arguments, wanted, folder)
            mine, record = our_rows(arguments, wanted, folder)
            rows += mine
    print(f"{record['model']['name']}: {record['before']['test']['top1']:.2f} % before; {machine(record)}\n")
    after = [f"after {arguments.epochs:g} epochs, %"] if arguments.epochs else []
    print(table(["MACs wanted", "by", "how", "MACs reached", "test top-1, %", *after], rows))


if __name__ == "__main__":
    main()
