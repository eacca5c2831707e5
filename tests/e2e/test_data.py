"""Data of every kind through the command line: regression targets, several inputs and outputs, models of a fixed batch, tokens,
samples without labels, CIFAR and numpy files. What is reported is checked with NumPy on ONNX Runtime's outputs."""
import numpy as np
import pytest

from conftest import MODELS, idx, run_pare, FMNIST

CONVNET = MODELS / "fmnist_convnet.onnx"


def save(path, nodes, inputs, outputs, weights):
    """inputs, outputs: {name: (element type, shape)}."""
    import onnx
    from onnx import helper, numpy_helper
    port = lambda item: helper.make_tensor_value_info(item[0], item[1][0], item[1][1])
    graph = helper.make_graph([helper.make_node(*n[:3], name=n[2][0] + "_node", **(n[3] if len(n) > 3 else {})) for n in nodes],
                              "test", [port(i) for i in inputs.items()], [port(o) for o in outputs.items()],
                              [numpy_helper.from_array(w, n) for n, w in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def regressor(path, batch="N", outputs=2, seed=3):
    """x [N,8] → Gemm 32 → Relu → Gemm → y [N,outputs]."""
    rng = np.random.default_rng(seed)
    weights = {"w1": rng.normal(0, 0.5, (8, 32)), "b1": rng.normal(0, 0.1, 32), "w2": rng.normal(0, 0.3, (32, outputs)),
               "b2": rng.normal(0, 0.1, outputs)}
    nodes = [("Gemm", ["x", "w1", "b1"], ["h"]), ("Relu", ["h"], ["r"]), ("Gemm", ["r", "w2", "b2"], ["y"])]
    return save(path, nodes, {"x": (1, [batch, 8])}, {"y": (1, [batch, outputs])},
                {k: v.astype(np.float32) for k, v in weights.items()})


def ort(path, **inputs):
    import onnxruntime
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, inputs)


@pytest.fixture
def regression(tmp_path):
    """A model, and data on which it is right but for noise."""
    model = regressor(tmp_path / "m.onnx")
    rng = np.random.default_rng(5)
    for split, count in (("train", 1500), ("test", 203)):
        x = rng.normal(0, 1, (count, 8)).astype(np.float32)
        t = ort(model, x=x)[0] + rng.normal(0, 0.1, (count, 2)).astype(np.float32)
        np.savez(tmp_path / f"{split}.npz", x=x, t=t, bad=np.where(t > 2, np.nan, t), wide=np.zeros((count, 3), np.float32),
                 short=t[:10], words=np.zeros(count, np.int64))
    data = tmp_path / "d.yaml"
    data.write_text("train: {format: npz, file: train.npz, targets: t, inputs: {x: x}}\n"
                    "test: {format: npz, file: test.npz, targets: t, inputs: {x: x}}\n")
    return model, data


def test_regression_metrics(pare, regression, tmp_path):
    model, data = regression
    result = pare("eval", model, "--data", data, "--reference", model, "--json").json
    with np.load(tmp_path / "test.npz") as arrays:
        x, t = arrays["x"], arrays["t"].astype(np.float64)
    error = ort(model, x=x)[0] - t
    metrics = result["metrics"]
    assert metrics["samples"] == 203 and result["output"] == "y"
    assert metrics["mse"] == pytest.approx((error ** 2).mean(), rel=1e-4)
    assert metrics["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    assert metrics["r2"] == pytest.approx(100 * (1 - (error ** 2).sum() / ((t - t.mean(0)) ** 2).sum()), abs=1e-3)
    assert metrics["top1"] is None and metrics["agreement"] is None and metrics["snr_db"] is None  # the same model
    text = pare("eval", model, "--data", data).out
    assert "MSE" in text and "R²" in text and "top-1" not in text


def test_regression_is_quantized_under_a_gate(pare, regression, tmp_path):
    model, data = regression
    record = pare("quantize", model, "--data", data, "-o", tmp_path / "q.onnx", "--max-drop", 2, "--json").json
    assert record["metric"] == "r2" and record["gate"]["passed"] and 0 < record["gate"]["drop"] < 2
    assert record["after"]["test"]["mse"] > record["before"]["test"]["mse"]
    loose = run_pare("prune", model, "--data", data, "--sparsity", 0.9, "--method", "magnitude", "-o", tmp_path / "p.onnx",
                     "--max-drop", 2, "--json")
    assert loose.code == 8 and loose.json["gate"]["passed"] is False


def test_regression_is_learnt(pare, trainer, regression, tmp_path):
    _, data = regression
    other = regressor(tmp_path / "other.onnx", seed=4)
    flags = ("--data", data, "--epochs", 6, "--lr", 0.02, "--batch-size", 32, "--json")
    record = pare("finetune", other, *flags, "-o", tmp_path / "tuned.onnx").json
    before, after = record["before"]["test"], record["after"]["test"]
    assert before["r2"] < 20 and after["r2"] > 80 and after["mse"] < 0.3 * before["mse"]
    curve = record["steps"][0]["curve"]
    assert curve[-1]["val_loss"] == pytest.approx(record["after"]["val"]["mse"], rel=0.02) and curve[-1]["train_top1"] is None
    taught = pare("distill", other, "--teacher", tmp_path / "m.onnx", "--alpha", 1, *flags, "-o", tmp_path / "d.onnx").json
    assert taught["after"]["test"]["r2"] > 80


@pytest.mark.parametrize("code,words,train", [
    (2, ["targets", "'y'", "expected 2", "got 3"], "targets: wide"),
    (2, ["targets", "no such array", "did you mean 't'"], "targets: tt"),
    (3, ["'bad'", "not finite", "sample"], "targets: bad"),
    (3, ["samples and targets differ", "1500 targets", "10"], "targets: short"),
    (2, ["targets", "cannot be combined with labels"], "targets: t, labels: words"),
    (3, ["'t'", "does not hold labels", "targets"], "labels: t"),
], ids=["shape", "name", "nan", "count", "both", "floats as labels"])
def test_bad_targets(refused, regression, tmp_path, code, words, train):
    model, _ = regression
    (tmp_path / "bad.yaml").write_text(f"train: {{format: npz, file: train.npz, {train}, inputs: {{x: x}}}}\n")
    refused(code, words, "eval", model, "--data", "bad.yaml", "--split", "train")


def test_labels_and_targets_do_not_mix(refused, regression, tmp_path):
    model, _ = regression
    (tmp_path / "mix.yaml").write_text("train: {format: npz, file: train.npz, labels: words, inputs: {x: x}}\n"
                                       "test: {format: npz, file: test.npz, targets: t, inputs: {x: x}}\n")
    refused(2, ["some splits have labels and others targets"], "eval", model, "--data", "mix.yaml")


def test_label_smoothing_needs_classes(refused, trainer, regression, tmp_path):
    model, data = regression
    refused(2, ["label_smoothing", "targets"], "finetune", model, "--data", data, "--label-smoothing", 0.1, "-o", "t.onnx")


def test_one_number_without_targets_has_no_agreement(refused, pare, tmp_path):
    model = regressor(tmp_path / "one.onnx", outputs=1)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(0, 1, (64, 8)).astype(np.float32))
    (tmp_path / "x.yaml").write_text("train: {format: npy, file: x.npy}\n")
    result = pare("eval", model, "--data", tmp_path / "x.yaml", "--split", "val", "--reference", model, "--json").json
    assert result["metrics"]["agreement"] is None
    code = run_pare("quantize", model, "--data", tmp_path / "x.yaml", "-o", tmp_path / "q.onnx", "--max-drop", 1)
    assert code.code == 2 and "one number a sample" in code.error and not (tmp_path / "q.onnx").exists()


def two_heads(path):
    rng = np.random.default_rng(1)
    weights = {"w": rng.normal(0, 1, (4, 3)).astype(np.float32), "v": rng.normal(0, 1, (5, 6)).astype(np.float32)}
    nodes = [("MatMul", ["a", "w"], ["first"]), ("MatMul", ["b", "v"], ["second"])]
    return save(path, nodes, {"a": (1, ["N", 4]), "b": (1, ["N", 5])}, {"first": (1, ["N", 3]), "second": (1, ["N", 6])}, weights)


@pytest.fixture
def heads(tmp_path):
    model = two_heads(tmp_path / "heads.onnx")
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, (50, 4)).astype(np.float32), rng.normal(0, 1, (50, 5)).astype(np.float32)
    first, second = ort(model, a=a, b=b)
    np.savez(tmp_path / "heads.npz", a=a, b=b, la=first.argmax(1), lb=np.where(np.arange(50) % 5, second.argmax(1), 0))
    def data(label, output=""):
        path = tmp_path / "heads.yaml"
        split = f"{{format: npz, file: heads.npz, labels: {label}, inputs: {{a: a, b: b}}}}"
        path.write_text(f"{output}train: {split}\ntest: {split}\n")
        return path
    return model, data, second.argmax(1)


def test_which_output_is_judged(pare, heads, tmp_path):
    model, data, second = heads
    first = pare("eval", model, "--data", data("la"), "--json").json
    assert first["output"] == "first" and first["metrics"]["top1"] == 100
    with np.load(tmp_path / "heads.npz") as arrays:
        right = (arrays["lb"] == second).mean() * 100
    chosen = pare("eval", model, "--data", data("lb", "output: second\n"), "--json").json
    assert chosen["output"] == "second" and chosen["metrics"]["top1"] == pytest.approx(right) and 80 <= right < 100
    assert "output 'second' of 2" in pare("eval", model, "--data", data("lb", "output: second\n")).out
    compared = pare("compare", model, model, "--data", data("lb", "output: second\n"), "--json").json
    assert compared["output"] == "second" and [o["output"] for o in compared["outputs"]] == ["first", "second"]
    record = pare("quantize", model, "--data", data("lb", "output: second\n"), "-o", tmp_path / "q.onnx", "--json").json
    assert record["before"]["test"]["top1"] == pytest.approx(right)


def test_an_output_that_is_not_there(refused, heads, tmp_path):
    model, data, _ = heads
    refused(2, ["output", "did you mean 'second'", "first, second"], "eval", model, "--data", data("lb", "output: secnd\n"))


def test_the_chosen_output_is_trained(pare, trainer, heads, tmp_path):
    import onnx
    from onnx import numpy_helper
    model, data, _ = heads
    pare("finetune", model, "--data", data("lb", "output: second\n"), "--epochs", 2, "--batch-size", 10, "--lr", 0.1,
         "--weight-decay", 0, "-o", tmp_path / "t.onnx")
    before = {w.name: numpy_helper.to_array(w) for w in onnx.load(str(model)).graph.initializer}
    after = {w.name: numpy_helper.to_array(w) for w in onnx.load(str(tmp_path / "t.onnx")).graph.initializer}
    assert np.array_equal(before["w"], after["w"]) and not np.array_equal(before["v"], after["v"])


def test_fixed_batch_counts_every_sample_once(pare, trainer, regression, tmp_path):
    """203 samples through a model that takes exactly 16: as through the model that takes any number."""
    model, data = regression
    fixed = regressor(tmp_path / "fixed.onnx", batch=16)
    free, whole = (pare("eval", m, "--data", data, "--json").json["metrics"] for m in (model, fixed))
    assert whole["samples"] == 203
    for key in ("mse", "mae", "r2"):
        assert whole[key] == pytest.approx(free[key], rel=1e-5)
    compared = pare("compare", fixed, fixed, "--data", data, "--json").json
    assert compared["samples"] == 203 and compared["metrics"]["a"]["mse"] == pytest.approx(free["mse"], rel=1e-5)
    record = pare("quantize", fixed, "--data", data, "-o", tmp_path / "q.onnx", "--json").json
    assert record["before"]["test"]["samples"] == 203 and record["before"]["val"]["samples"] == 150
    assert record["after"]["test"]["r2"] > 90
    tuned = pare("finetune", fixed, "--data", data, "--epochs", 1, "--batch-size", 32, "-o", tmp_path / "t.onnx", "--json").json
    assert any("batches of 16" in note for note in tuned["steps"][0]["notes"]) and tuned["after"]["test"]["r2"] > 90


def test_tokens(pare, tmp_path):
    """Two integer inputs, one of them a mask, of an embedding classifier; calibration needs no labels."""
    rng = np.random.default_rng(7)
    weights = {"table": rng.normal(0, 1, (50, 16)).astype(np.float32), "w": rng.normal(0, 1, (16, 4)).astype(np.float32),
               "axes": np.array([1], np.int64), "last": np.array([2], np.int64)}
    nodes = [("Gather", ["table", "ids"], ["e"]), ("Cast", ["mask"], ["m"], {"to": 1}), ("Unsqueeze", ["m", "last"], ["m3"]),
             ("Mul", ["e", "m3"], ["masked"]), ("ReduceSum", ["masked", "axes"], ["bag"], {"keepdims": 0}),
             ("MatMul", ["bag", "w"], ["logits"])]
    model = save(tmp_path / "t.onnx", nodes, {"ids": (7, ["N", "S"]), "mask": (7, ["N", "S"])}, {"logits": (1, ["N", 4])}, weights)
    ids, mask = rng.integers(0, 50, (300, 12)), (np.arange(12) < rng.integers(2, 12, (300, 1))).astype(np.int64)
    labels = ort(model, ids=ids, mask=mask)[0].argmax(1)
    np.savez(tmp_path / "t.npz", ids=ids.astype(np.int32), mask=mask, y=labels)
    (tmp_path / "t.yaml").write_text("test: {format: npz, file: t.npz, labels: y}\n")
    assert pare("eval", model, "--data", tmp_path / "t.yaml", "--json").json["metrics"]["top1"] == 100
    np.savez(tmp_path / "u.npz", ids=ids, mask=mask)
    (tmp_path / "u.yaml").write_text("train: {format: npz, file: u.npz}\n")
    record = pare("quantize", model, "--data", tmp_path / "u.yaml", "-o", tmp_path / "q.onnx", "--max-drop", 10, "--json").json
    assert record["metric"] == "agreement" and record["after"]["val"]["agreement"] >= 90
    assert record["before"]["val"]["top1"] is None


@pytest.mark.parametrize("change,words", [
    (dict(ids=np.full((8, 12), 3.5)), ["'ids'", "element type"]),
    (dict(mask=np.ones((9, 12), np.int64)), ["'mask'", "another number of samples"]),
    (dict(mask=None), ["no array for the model's input 'mask'"]),
    (dict(ids=np.zeros((8, 2, 6), np.int64)), ["'ids'", "another shape"]),
], ids=["floats", "rows", "missing", "rank"])
def test_bad_tokens(refused, tmp_path, change, words):
    weights = {"table": np.zeros((50, 16), np.float32)}
    nodes = [("Gather", ["table", "ids"], ["e"]), ("Cast", ["mask"], ["m"], {"to": 1}),
             ("ReduceMax", ["e"], ["r"], {"axes": [2], "keepdims": 0}), ("Mul", ["r", "m"], ["y"])]
    model = save(tmp_path / "t.onnx", nodes, {"ids": (7, ["N", "S"]), "mask": (7, ["N", "S"])}, {"y": (1, ["N", "S"])}, weights)
    arrays = dict(ids=np.zeros((8, 12), np.int64), mask=np.ones((8, 12), np.int64))
    arrays = {k: v for k, v in {**arrays, **change}.items() if v is not None}
    np.savez(tmp_path / "t.npz", **arrays)
    (tmp_path / "t.yaml").write_text("test: {format: npz, file: t.npz}\n")
    refused(3, words, "eval", model, "--data", "t.yaml")


def test_cifar_and_numpy_files_agree(pare, tmp_path):
    """The same images as a CIFAR batch and as numpy files, against ONNX Runtime."""
    rng = np.random.default_rng(11)
    images, labels = rng.integers(0, 256, (40, 32, 32, 3), np.uint8), rng.integers(0, 5, 40)
    records = [bytes([label]) + image.transpose(2, 0, 1).tobytes() for image, label in zip(images, labels)]
    (tmp_path / "batch.bin").write_bytes(b"".join(records))
    np.save(tmp_path / "x.npy", images), np.save(tmp_path / "y.npy", labels)
    weights = {"w": rng.normal(0, 1, (5, 3, 32, 32)).astype(np.float32), "shape": np.array([-1, 5], np.int64)}
    model = save(tmp_path / "c.onnx", [("Conv", ["x", "w"], ["c"]), ("Reshape", ["c", "shape"], ["y"])],
                 {"x": (1, ["N", 3, 32, 32])}, {"y": (1, ["N", 5])}, weights)
    logits = ort(model, x=(images.transpose(0, 3, 1, 2) / 255).astype(np.float32))[0]
    right = (logits.argmax(1) == labels).mean() * 100
    for split in ("{format: cifar, files: batch.bin}", "{format: npy, images: x.npy, labels: y.npy}"):
        (tmp_path / "c.yaml").write_text(f"test: {split}\npreprocess: {{scale: 255}}\n")
        assert pare("eval", model, "--data", tmp_path / "c.yaml", "--json").json["metrics"]["top1"] == pytest.approx(right)


def test_images_without_labels(pare, tmp_path):
    """Calibration and agreement need none."""
    images = idx(FMNIST / "train-images-idx3-ubyte.gz")[:1200]
    np.save(tmp_path / "x.npy", images)
    (tmp_path / "x.yaml").write_text("train: {format: npy, images: x.npy}\npreprocess: {scale: 255, mean: [0.2860], std: [0.3530]}\n")
    record = pare("quantize", CONVNET, "--data", tmp_path / "x.yaml", "-o", tmp_path / "q.onnx", "--max-drop", 5, "--json").json
    assert record["metric"] == "agreement" and record["gate"]["passed"]
    assert record["after"]["val"]["agreement"] >= 95 and record["after"]["val"]["loss"] is None
    measured = pare("eval", tmp_path / "q.onnx", "--data", tmp_path / "x.yaml", "--split", "val", "--reference", CONVNET, "--json").json
    assert measured["metrics"]["agreement"] == record["after"]["val"]["agreement"]
