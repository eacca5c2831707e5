"""inspect, check, eval, run, bench, doctor on float models."""
import time

import numpy as np
import pytest

from conftest import MODELS, ort_run, pare_run, run_pare

CONVNET = MODELS / "fmnist_convnet.onnx"
RESNET10 = MODELS / "fmnist_resnet10.onnx"
MLP = MODELS / "fmnist_mlp.onnx"


def onnx_parameters(path):
    """Elements of float initializers of rank 1 and more."""
    import onnx
    from onnx import numpy_helper
    arrays = [numpy_helper.to_array(t) for t in onnx.load(str(path)).graph.initializer]
    return sum(a.size for a in arrays if a.dtype == np.float32 and a.ndim > 0)


def test_help_and_version_start_fast(pare):
    pare("--help")  # warms the page cache
    times = []
    for _ in range(3):
        start = time.monotonic()
        result = pare("--help")
        times.append(time.monotonic() - start)
    for command in ("inspect", "check", "compress", "prune", "quantize", "finetune", "eval", "bench", "run", "report", "doctor"):
        assert command in result.out
        assert "--json" in pare(command, "--help").out
    assert pare("--version").out.startswith("pare 0.")
    assert min(times) < 1  # LibTorch alone would take most of this; the figure itself is measured in bench/


@pytest.mark.parametrize("path", [CONVNET, RESNET10, MLP], ids=lambda p: p.stem)
def test_inspect(pare, path):
    result = pare("inspect", path, "--json").json
    assert result["parameters"] == onnx_parameters(path)
    assert result["bytes"] == path.stat().st_size
    assert result["macs"] == sum(layer["macs"] for layer in result["layers"]) > 0
    text = pare("inspect", path).out
    for layer in result["layers"]:
        assert layer["node"][-20:] in text


def test_inspect_macs_scale_with_the_batch(pare):
    one = pare("inspect", CONVNET, "--json").json
    four = pare("inspect", CONVNET, "--json", "--batch", 4).json
    assert four["macs"] == 4 * one["macs"]
    name = one["inputs"][0]["name"]
    shaped = pare("inspect", CONVNET, "--json", "--shape", f"{name}=4x1x28x28").json
    assert shaped["macs"] == four["macs"]


def test_inspect_macs_of_the_mlp_are_its_weights(pare):
    result = pare("inspect", MLP, "--json").json
    assert result["macs"] == sum(int(np.prod(layer["dims"])) for layer in result["layers"])


def test_plan_covers_every_layer_with_a_reason(pare):
    result = pare("inspect", RESNET10, "--plan", "--json").json
    steps = result["plan"]["steps"]
    assert steps and all(step["kernel"] and step["reason"] for step in steps)
    covered = {node for step in steps for node in step["nodes"]}
    assert {layer["node"] for layer in result["layers"]} <= covered
    assert result["plan"]["arena_bytes"] > 0
    assert steps[0]["kernel"] in pare("inspect", RESNET10, "--plan").out


@pytest.mark.parametrize("path", [CONVNET, RESNET10, MLP], ids=lambda p: p.stem)
def test_check(pare, path):
    result = pare("check", path, "--json").json
    assert result["valid"] and not result["problems"] and not result["runtime"]["refusals"] and result["train"] is None
    assert "eval" in result["possible"]


def test_check_train(pare, trainer):
    result = pare("check", CONVNET, "--train", "--json").json
    assert result["train"] == {"refusals": [], "unavailable": None}
    assert "finetune" in result["possible"]


def test_eval_convnet(pare, fmnist):
    result = pare("eval", CONVNET, "--data", fmnist, "--json").json
    assert result["samples"] == 10000 and result["split"] == "test"
    assert result["metrics"]["top1"] == pytest.approx(91.51, abs=0.005)
    low, high = result["metrics"]["top1_interval"]
    assert low < 91.51 < high
    assert 0 < result["metrics"]["loss"] < 1 and result["latency"]["median_ms"] > 0
    assert result["bytes"] == CONVNET.stat().st_size


def test_eval_resnet10_agrees_with_onnx_runtime(pare, fmnist, test_images):
    images, labels = test_images
    result = pare("eval", RESNET10, "--data", fmnist, "--limit", 1000, "--json").json
    assert result["samples"] == 1000
    logits = ort_run(RESNET10, images[:1000])
    assert result["metrics"]["top1"] == pytest.approx(100 * np.mean(logits.argmax(1) == labels[:1000]), abs=0.11)
    shifted = logits - logits.max(1, keepdims=True)
    loss = np.mean(np.log(np.exp(shifted).sum(1)) - shifted[np.arange(1000), labels[:1000]])
    assert result["metrics"]["loss"] == pytest.approx(loss, rel=1e-3)


def test_eval_against_a_reference(pare, fmnist):
    same = pare("eval", CONVNET, "--data", fmnist, "--reference", CONVNET, "--limit", 200, "--json").json
    assert same["metrics"]["agreement"] == 100 and same["metrics"]["snr_db"] is None
    other = pare("eval", CONVNET, "--data", fmnist, "--reference", RESNET10, "--limit", 200, "--json").json
    assert 70 < other["metrics"]["agreement"] < 100


def test_eval_split_and_text(pare, fmnist):
    result = pare("eval", CONVNET, "--data", fmnist, "--split", "val", "--limit", 300, "--quiet")
    assert "300 samples of val" in result.out and "top-1" in result.out and result.err == ""


@pytest.mark.parametrize("path", [CONVNET, RESNET10, MLP], ids=lambda p: p.stem)
def test_run_agrees_with_onnx_runtime(path, test_images, tmp_path):
    images = test_images[0][:64]
    expected, got = ort_run(path, images), pare_run(path, images, tmp_path)
    assert got.shape == expected.shape and got.dtype == expected.dtype
    assert np.abs(got - expected).max() <= 1e-4 * (expected.max() - expected.min())


def test_run_takes_npy_and_prints_ranges(pare, test_images, tmp_path):
    np.save(tmp_path / "x.npy", test_images[0][:2])
    result = pare("run", CONVNET, "--input", tmp_path / "x.npy", "--json").json
    assert result["written"] is None and result["outputs"][0]["dims"] == [2, 10]
    assert result["outputs"][0]["max"] == pytest.approx(ort_run(CONVNET, test_images[0][:2]).max(), rel=1e-4)


def test_bench(pare):
    result = pare("bench", CONVNET, MLP, "--threads", "1,2", "--batch", "1,4", "--seconds", 0.05, "--profile", "--json").json
    rows = result["results"]
    assert {(r["model"], r["threads"], r["batch"]) for r in rows} == {(str(m), t, b) for m in (CONVNET, MLP) for t in (1, 2) for b in (1, 4)}
    for row in rows:
        assert 0 < row["latency"]["min_ms"] <= row["latency"]["median_ms"] <= row["latency"]["p90_ms"]
        assert row["throughput"] == pytest.approx(row["batch"] * 1000 / row["latency"]["median_ms"])
        assert row["profile"] and all(step["median_ms"] >= 0 for step in row["profile"])
        assert all(step["multiplies"] == "float32" and (step["peak_share"] > 0) == (step["macs"] > 0) for step in row["profile"])
        assert row["process_peak_bytes"] > row["weight_bytes"] + row["arena_bytes"]


def test_doctor(pare):
    result = pare("doctor", "--json").json
    assert result["threads"] >= 1 and result["isa"]
    names = {library["name"] for library in result["libraries"]}
    assert {"libdnnl", "libprotobuf-lite", "libpare"} <= names
    assert result["train_plugin"]["found"] or "libtorch-dev" in result["train_plugin"]["reason"]


def test_forced_isa(pare):
    assert pare("doctor", "--json", env={"PARE_FORCE_ISA": "scalar"}).json["isa"] == "scalar"
    assert run_pare("doctor", env={"PARE_FORCE_ISA": "mmx"}).code == 2


def test_dry_runs_write_nothing(pare, fmnist, tmp_path):
    pare("eval", CONVNET, "--data", fmnist, "--dry-run", "--json").json
    plan = pare("quantize", CONVNET, "--data", fmnist, "-o", tmp_path / "q.onnx", "--dry-run", "--json").json
    assert plan["dry_run"] and plan["writes"] == [str(tmp_path / "q.onnx")]
    assert list(tmp_path.iterdir()) == []
