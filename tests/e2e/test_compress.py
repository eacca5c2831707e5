"""prune, quantize, finetune, compress: the files they leave, checked by NumPy and ONNX Runtime."""
import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest

from conftest import MODELS, PARE, listing, ort_run, pare_run, run_pare

CONVNET = MODELS / "fmnist_convnet.onnx"
RESNET10 = MODELS / "fmnist_resnet10.onnx"

RECIPE = """
steps:
  - prune: {method: magnitude, pattern: "8:64", exclude: [first, last]}
  - finetune: {epochs: 1, lr: 0.005, limit: 2000, distill: {temperature: 4, alpha: 0.9}}
  - quantize: {method: static, activations: {samples: 128}}
"""


def weights(path):
    """Weights of convolutions and fully connected layers as [outputs, taps, inputs], by node, in order."""
    import onnx
    from onnx import numpy_helper
    graph = onnx.load(str(path)).graph
    arrays = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    arrays = {name: array if array.dtype.name not in ("int4", "int2", "uint4", "uint2") else array.astype(np.int8)
              for name, array in arrays.items()}
    source = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "DequantizeLinear"}
    layers = []
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        name = node.input[1]
        array = arrays.get(name, arrays.get(source.get(name)))
        if array is None:
            continue
        if node.op_type == "Conv":
            array = array.reshape(array.shape[0], array.shape[1], -1).transpose(0, 2, 1)
        else:
            transposed = any(a.name == "transB" and a.i for a in node.attribute)
            array = (array if transposed else array.T)[:, None, :]
        layers.append((node.name, array))
    return layers


def assert_pattern(array, q):
    """Every group of 64 input channels keeps at most q weights, a tail of n at most ceil(q·n/64)."""
    inputs = array.shape[2]
    for begin in range(0, inputs, 64):
        group = array[:, :, begin:begin + 64]
        assert np.count_nonzero(group, axis=2).max() <= -(-q * group.shape[2] // 64)


def agreement(path, images, folder):
    return np.mean(pare_run(path, images, folder).argmax(1) == ort_run(path, images).argmax(1))


def test_quantize(pare, fmnist, test_images, tmp_path):
    model = tmp_path / "q.onnx"
    record = pare("quantize", CONVNET, "--data", fmnist, "-o", model, "--json", "--report", tmp_path / "report").json
    assert sorted(p.name for p in tmp_path.iterdir()) == ["q.onnx", "report"]
    assert sorted(p.name for p in (tmp_path / "report").iterdir()) == ["recipe.yaml", "report.html", "run.json"]
    assert json.loads((tmp_path / "report" / "run.json").read_text()) == record
    assert "<svg" in (tmp_path / "report" / "report.html").read_text()
    assert record["before"]["test"]["top1"] == pytest.approx(91.51, abs=0.005)
    assert record["after"]["test"]["top1"] >= 91.51 - 0.15
    assert record["after"]["file_bytes"] == model.stat().st_size < 0.35 * CONVNET.stat().st_size
    images = test_images[0][:2000]
    assert agreement(model, images, tmp_path) >= 0.999
    evaluated = pare("eval", model, "--data", fmnist, "--json").json
    assert evaluated["metrics"]["top1"] == pytest.approx(record["after"]["test"]["top1"], abs=1e-9)
    assert all(layer["bits"] == 8 for layer in pare("inspect", model, "--json").json["layers"])


def test_prune_pattern(pare, test_images, tmp_path):
    model = tmp_path / "p.onnx"
    pare("prune", RESNET10, "-o", model, "--pattern", "8:64", "--exclude", "first,last")
    before, after = weights(RESNET10), weights(model)
    assert len(after) == len(before) > 5
    for _, array in after[1:-1]:
        assert_pattern(array, 8)
        assert np.mean(array == 0) > 0.8
    assert np.count_nonzero(after[0][1]) > 0.9 * after[0][1].size and np.count_nonzero(after[-1][1]) > 0.9 * after[-1][1].size
    patterns = [layer["pattern"] for layer in pare("inspect", model, "--json").json["layers"]]
    assert patterns[1:-1] == ["8:64"] * (len(patterns) - 2)
    got, expected = pare_run(model, test_images[0][:16], tmp_path), ort_run(model, test_images[0][:16])
    assert np.abs(got - expected).max() <= 1e-4 * (expected.max() - expected.min())


def test_prune_by_ratio_keeps_the_largest(pare, fmnist, tmp_path):
    model = tmp_path / "p.onnx"
    record = pare("prune", CONVNET, "--data", fmnist, "-o", model, "--sparsity", 0.6, "--json").json
    for _, array in weights(model):
        assert np.mean(array == 0) == pytest.approx(0.6, abs=0.02)
    assert record["after"]["nonzero_parameters"] < 0.45 * record["before"]["nonzero_parameters"]
    assert record["after"]["test"]["top1"] < record["before"]["test"]["top1"]


def test_missed_gate_writes_and_exits_8(fmnist, tmp_path):
    result = run_pare("prune", CONVNET, "--data", fmnist, "-o", tmp_path / "p.onnx", "--sparsity", 0.97, "--max-drop", 0.5,
                      "--report", tmp_path / "r")
    assert result.code == 8 and "gate" in result.error and "0.50" in result.error
    assert json.loads((tmp_path / "r" / "run.json").read_text())["gate"]["passed"] is False
    assert (tmp_path / "p.onnx").exists()


def test_same_seed_same_bytes(pare, small_data, tmp_path):
    for name in ("a.onnx", "b.onnx"):
        pare("quantize", CONVNET, "--data", small_data, "-o", tmp_path / name, "--threads", 2)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_existing_results_need_force(pare, small_data, tmp_path):
    arguments = ("quantize", CONVNET, "--data", small_data, "-o", tmp_path / "q.onnx")
    (tmp_path / "q.onnx").write_text("precious")
    refused = run_pare(*arguments)
    assert refused.code == 2 and "q.onnx" in refused.error and "--force" in refused.error
    assert (tmp_path / "q.onnx").read_text() == "precious"
    pare(*arguments, "--force")
    assert len(weights(tmp_path / "q.onnx")) > 1 and [p.name for p in tmp_path.iterdir()] == ["q.onnx"]


def test_report_from_the_record(pare, small_data, tmp_path):
    pare("quantize", CONVNET, "--data", small_data, "-o", tmp_path / "q.onnx", "--report", tmp_path / "r")
    page = (tmp_path / "r" / "report.html").read_text()
    assert run_pare("report", tmp_path / "r").code == 2
    pare("report", tmp_path / "r", "--force")
    assert (tmp_path / "r" / "report.html").read_text() == page
    (tmp_path / "r" / "report.html").unlink()
    assert pare("report", tmp_path / "r", "--json").json["report"] == str(tmp_path / "r" / "report.html")


def test_compress(pare, trainer, small_data, test_images, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    out = tmp_path / "out"
    result = pare("compress", RESNET10, "--recipe", recipe, "--data", small_data, "-o", out)
    assert {"model.onnx", "run.json", "report.html", "recipe.yaml"} <= {p.name for p in out.iterdir()}
    assert "wrote" in result.out and "before" in result.out
    record = json.loads((out / "run.json").read_text())
    assert [step["step"] for step in record["steps"]] == ["prune", "finetune", "quantize"]
    assert record["steps"][1]["curve"] and record["environment"]["trainer"]
    assert record["steps"][1]["summary"]["val"]["top1"] > record["steps"][0]["summary"]["val"]["top1"]
    for _, array in weights(out / "model.onnx")[1:-1]:
        assert_pattern(array, 8)
    assert agreement(out / "model.onnx", test_images[0][:1000], tmp_path) >= 0.999
    # The resolved recipe is the same recipe.
    plan = pare("compress", RESNET10, "--recipe", out / "recipe.yaml", "--data", small_data, "-o", tmp_path / "x", "--dry-run", "--json")
    assert plan.json["dry_run"]


def start_and_interrupt(arguments, cwd, signal_number, checkpoint):
    """Sends the signal once the first epoch of the training is on disk; returns the exit code."""
    process = subprocess.Popen([PARE, *map(str, arguments)], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline and not checkpoint():
        time.sleep(0.02)
    process.send_signal(signal_number)
    process.communicate(timeout=120)
    return process.returncode


def expect_resumed_to_the_same_bytes(pare, small_data, tmp_path, step, model=CONVNET):
    """A recipe of this one step, interrupted while it trains and resumed, beside a run that was left alone."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"steps:\n  - {step}\n")

    def arguments(out):
        return ["compress", model, "--recipe", recipe, "--data", small_data, "-o", out, "--threads", 2, "--quiet"]
    pare(*arguments(tmp_path / "whole"))
    out = tmp_path / "stopped"
    code = start_and_interrupt(arguments(out), tmp_path, signal.SIGINT, (out / "checkpoints" / "training.ckpt").exists)
    assert code == 128 + signal.SIGINT and [p.name for p in out.iterdir()] == ["checkpoints"]
    pare(*arguments(out), "--resume")
    assert (out / "model.onnx").read_bytes() == (tmp_path / "whole" / "model.onnx").read_bytes()


@pytest.mark.parametrize("number, precision", [(signal.SIGINT, "f32"), (signal.SIGTERM, "auto")], ids=["SIGINT", "SIGTERM"])
def test_interrupted_and_resumed_has_the_same_bytes(pare, trainer, small_data, tmp_path, number, precision):
    """auto: bf16 where the CPU has it."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"steps:\n  - prune: {{sparsity: 0.5}}\n  - finetune: {{epochs: 4, lr: 0.01, precision: {precision}}}\n")
    def arguments(out):
        return ["compress", CONVNET, "--recipe", recipe, "--data", small_data, "-o", out, "--threads", 2, "--quiet"]
    pare(*arguments(tmp_path / "whole"))
    out = tmp_path / "stopped"
    checkpoints = out / "checkpoints"
    code = start_and_interrupt(arguments(out), tmp_path, number, (checkpoints / "training.ckpt").exists)
    assert code == 128 + number
    assert [p.name for p in out.iterdir()] == ["checkpoints"]
    again = run_pare(*arguments(out))
    assert again.code == 2 and "--resume" in again.error
    changed = tmp_path / "changed.yaml"
    changed.write_text(recipe.read_text().replace("0.5", "0.6"))
    before = listing(out)
    refused = run_pare("compress", CONVNET, "--recipe", changed, "--data", small_data, "-o", out, "--resume")
    assert refused.code == 2 and listing(out) == before
    pare(*arguments(out), "--resume")
    assert (out / "model.onnx").read_bytes() == (tmp_path / "whole" / "model.onnx").read_bytes()


def test_finetune_shorthand(pare, trainer, small_data, tmp_path):
    record = pare("finetune", CONVNET, "--data", small_data, "-o", tmp_path / "f.onnx", "--epochs", 1, "--lr", 0.001,
                  "--distill-alpha", 0.5, "--json").json
    options = record["steps"][0]["options"]
    assert options["epochs"] == 1 and options["distill"]["alpha"] == 0.5 and options["distill"]["temperature"] == 4
    assert [p.name for p in tmp_path.iterdir()] == ["f.onnx"]
    changed = [not np.array_equal(a, b) for (_, a), (_, b) in zip(weights(CONVNET), weights(tmp_path / "f.onnx"))]
    assert all(changed)


def test_without_the_plug_in(small_data, tmp_path):
    """A copy of the command and its library without pare/ beside it."""
    import shutil
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib").mkdir()
    shutil.copy(PARE, tmp_path / "bin" / "pare")
    shutil.copy(os.path.join(os.path.dirname(PARE), "..", "lib", "libpare.so"), tmp_path / "lib")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path / "lib"), "PARE_PLUGIN_PATH": ""}
    done = subprocess.run([tmp_path / "bin" / "pare", "finetune", CONVNET, "--data", small_data, "-o", tmp_path / "f.onnx"],
                          env=environment, capture_output=True, text=True)
    assert done.returncode == 4 and "libtorch-dev" in done.stderr and "finetune" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bin", "lib"]
    (tmp_path / "lib" / "libpare_train.so").write_text("not a library")
    wrong = subprocess.run([PARE, "check", CONVNET, "--train"], env={**os.environ, "PARE_PLUGIN_PATH": str(tmp_path / "lib")},
                           capture_output=True, text=True)
    assert wrong.returncode == 4 and "libpare_train.so" in wrong.stderr and "does not load" in wrong.stderr
