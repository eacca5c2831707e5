"""Methods beyond pruning and static quantization: the files they leave, checked by NumPy and ONNX Runtime."""
import os
import pathlib

import numpy as np
import pytest

from conftest import MODELS, ort_run, pare_run, run_pare

CONVNET = MODELS / "fmnist_convnet.onnx"
RESNET10 = MODELS / "fmnist_resnet10.onnx"
MLP = MODELS / "fmnist_mlp.onnx"


def large_model(name):
    folder = os.environ.get("PARE_TEST_MODELS")
    if not folder:
        pytest.skip("PARE_TEST_MODELS is not set")
    path = pathlib.Path(folder) / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


def operators(path):
    import onnx
    types = [node.op_type for node in onnx.load(str(path)).graph.node]
    return {t: types.count(t) for t in types}


def same_as_onnx_runtime(path, images, folder, tolerance=1e-4):
    got, expected = pare_run(path, images, folder), ort_run(path, images)
    assert np.abs(got - expected).max() <= tolerance * (expected.max() - expected.min())


def layers_of(record, key):
    return record["steps"][0][key]


# Entropy clips the images' own range, whose background is one spike: what Migacz's algorithm does, measured.
@pytest.mark.parametrize("calibrator,drop", [("entropy", 6), ("mse", 0.5), ("moving-average", 0.5), ("percentile", 0.5)])
def test_calibrators(pare, fmnist, tmp_path, calibrator, drop):
    record = pare("quantize", CONVNET, "--data", fmnist, "-o", tmp_path / "q.onnx", "--activations-calibrator", calibrator,
                  "--activations-samples", 256, "--json").json
    assert record["after"]["test"]["top1"] >= 91.51 - drop


@pytest.mark.parametrize("levels,entries,drop", [("kmeans", 16, 1), ("kmeans", 256, 0.6), ("log", 256, 0.6), ("log2", 256, 8),
                                                ("power-of-two", 256, 4)])
def test_codebook(pare, small_data, test_images, tmp_path, levels, entries, drop):
    out = tmp_path / "q.onnx"
    record = pare("quantize", CONVNET, "--method", "codebook", "--levels", levels, "--entries", entries, "--data", small_data,
                  "-o", out, "--json").json
    assert operators(out)["Gather"] == 3 and record["steps"][0]["codebook"]["levels"] == levels
    assert record["after"]["file_bytes"] < (0.3 if entries == 16 else 0.5) * record["before"]["file_bytes"]
    assert record["after"]["parameters"] == record["before"]["parameters"]
    assert record["after"]["test"]["top1"] >= record["before"]["test"]["top1"] - drop  # of 500 images
    same_as_onnx_runtime(out, test_images[0][:500], tmp_path)
    result = run_pare("prune", out, "--data", small_data, "-o", tmp_path / "p.onnx")
    assert result.code == 4 and "weight_indices" in result.err and not (tmp_path / "p.onnx").exists()


def test_mixed_precision(pare, small_data, test_images, tmp_path):
    out = tmp_path / "q.onnx"
    record = pare("quantize", CONVNET, "--mixed-average", 3.5, "--data", small_data, "-o", out, "--json").json
    mixed = record["steps"][0]["quantized"]["choice"]["mixed"]
    assert 2 <= mixed["average"] <= 3.5 and len({layer["bits"] for layer in mixed["layers"]}) > 1
    assert record["after"]["test"]["top1"] >= record["before"]["test"]["top1"] - 2  # of 500 images
    ort_run(out, test_images[0][:500])
    result = run_pare("quantize", CONVNET, "--mixed-average", 2, "--mixed-choices", "4,8", "--data", small_data, "-o",
                      tmp_path / "r.onnx")
    assert result.code == 2 and "mixed.average" in result.err and not (tmp_path / "r.onnx").exists()


@pytest.mark.parametrize("model", [CONVNET, MLP], ids=["convnet", "mlp"])
def test_dynamic(pare, small_data, test_images, tmp_path, model):
    out = tmp_path / "q.onnx"
    record = pare("quantize", model, "--method", "dynamic", "--data", small_data, "-o", out, "--json").json
    found = operators(out)
    assert not {"Conv", "Gemm", "MatMul"} & set(found)
    assert found.get("ConvInteger", 0) + found.get("MatMulInteger", 0) == len(layers_of(record, "quantized")["nodes"])
    assert record["after"]["file_bytes"] < 0.35 * record["before"]["file_bytes"]
    assert record["after"]["test"]["top1"] >= record["before"]["test"]["top1"] - 1  # of 500 images
    # ONNX's own reference: ONNX Runtime saturates such products in 16 bits where the CPU has no VNNI.
    import onnx.reference
    import onnxruntime
    onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    images = test_images[0][:20]  # at once: the range is that of the batch
    reference = onnx.reference.ReferenceEvaluator(str(out))
    expected = reference.run(None, {reference.input_names[0]: images})[0]
    got = pare_run(out, images, tmp_path)
    assert np.abs(got - expected).max() <= 1e-4 * (expected.max() - expected.min())


def test_dynamic_needs_no_data(pare, tmp_path):
    pare("quantize", MLP, "--method", "dynamic", "-o", tmp_path / "q.onnx")
    assert operators(tmp_path / "q.onnx")["MatMulInteger"] > 0


def test_lowrank(pare, fmnist, test_images, tmp_path):
    out = tmp_path / "l.onnx"
    record = pare("lowrank", MLP, "--data", fmnist, "-o", out, "--ratio", 0.25, "--no-measure", "--json").json
    layers = {layer["node"]: layer for layer in layers_of(record, "lowrank")["layers"]}
    factorized = [layer for layer in layers.values() if layer["factorized"]]
    assert factorized and all(layer["rank"] == int(0.25 * layer["full_rank"] + 0.5) for layer in factorized)
    assert all(layer["reason"] for layer in layers.values() if not layer["factorized"])
    assert record["after"]["macs"] < 0.7 * record["before"]["macs"]
    assert record["after"]["file_bytes"] < 0.7 * record["before"]["file_bytes"]
    same_as_onnx_runtime(out, test_images[0][:200], tmp_path)


def test_lowrank_measures(pare, tmp_path):
    record = pare("lowrank", RESNET10, "-o", tmp_path / "l.onnx", "--energy", 0.9, "--json").json
    layers = layers_of(record, "lowrank")["layers"]
    assert any("factors_ms" in layer for layer in layers)
    for layer in layers:
        if "factors_ms" in layer:
            assert layer["factorized"] == (layer["factors_ms"] < 0.98 * layer["whole_ms"])


def test_filters(pare, test_images, tmp_path):
    out = tmp_path / "p.onnx"
    record = pare("prune", RESNET10, "--method", "filters", "--ratio", 0.5, "-o", out, "--json").json
    result = layers_of(record, "filters")
    assert result["channels_after"] < 0.6 * result["channels_before"]
    assert record["after"]["macs"] < 0.4 * record["before"]["macs"]
    assert record["after"]["file_bytes"] < 0.4 * record["before"]["file_bytes"]
    assert record["after"]["parameters"] == record["after"]["nonzero_parameters"] < 0.4 * record["before"]["parameters"]
    same_as_onnx_runtime(out, test_images[0][:200], tmp_path)
    again = pare("inspect", out, "--groups", "--json").json
    assert sum(group["channels"] for group in again["groups"]) == result["channels_after"]


def test_filters_rank_filters_better_than_chance(pare, small_data, tmp_path):
    record = pare("prune", RESNET10, "--method", "filters", "--ratio", 0.1, "--scope", "global", "--round-to", 1, "--data", small_data,
                  "-o", tmp_path / "p.onnx", "--json").json
    assert record["after"]["test"]["top1"] > 40  # untrained: 10 is chance


@pytest.mark.parametrize("name", ["efficientnet_lite0.onnx", "mobilenet_v3_small_dynamo.onnx", "fmnist_resnet18.onnx"])
def test_filters_on_large_models(pare, tmp_path, name):
    import onnxruntime
    model, out = large_model(name), tmp_path / "p.onnx"
    record = pare("prune", model, "--method", "filters", "--ratio", 0.4, "-o", out, "--json", timeout=600).json
    assert record["after"]["macs"] < 0.75 * record["before"]["macs"]
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    dims = [d if isinstance(d, int) else 2 for d in given.shape]
    x = np.random.default_rng(1).standard_normal(dims).astype(np.float32)
    np.savez(tmp_path / "in.npz", **{given.name: x})
    pare("run", out, "--inputs", tmp_path / "in.npz", "-o", tmp_path / "out.npz")
    expected = session.run(None, {given.name: x})[0]
    with np.load(tmp_path / "out.npz") as outputs:
        got = outputs[outputs.files[0]]
    assert np.abs(got - expected).max() <= 1e-4 * (expected.max() - expected.min())


def test_groups_in_words(pare):
    result = pare("inspect", RESNET10, "--groups")
    assert "channel groups" in result.out and "no: it reaches the output" in result.out


def test_distill(pare, trainer, small_data, tmp_path):
    out = tmp_path / "s.onnx"
    record = pare("distill", CONVNET, "--teacher", RESNET10, "--data", small_data, "-o", out, "--epochs", 1, "--lr", 0.001,
                  "--json").json
    step = record["steps"][0]
    assert step["teacher"]["hash"] and step["distill"]["alpha"] == 0.9 and len(step["curve"]) == 1
    assert str(tmp_path) not in out.read_bytes().decode("latin-1") and str(RESNET10) not in out.read_bytes().decode("latin-1")


def test_distill_features_of_mixtures(pare, trainer, small_data, tmp_path):
    """A sparse model becomes more like the dense one where its inner values are held to it."""
    sparse = tmp_path / "sparse.onnx"
    pare("prune", CONVNET, "--method", "magnitude", "--sparsity", 0.8, "--data", small_data, "-o", sparse)
    inner = {}
    for name, flags in (("plain", ()), ("features", ("--features", "Relu", "--mixup", 1))):
        out = tmp_path / f"{name}.onnx"
        step = pare("distill", sparse, "--teacher", CONVNET, "--data", small_data, "-o", out, "--epochs", 2, "--lr", 0.01, "--alpha", 1, *flags,
                    "--json").json["steps"][0]
        assert len(step["distill"].get("features", [])) == (2 if flags else 0)
        compared = pare("compare", CONVNET, out, "--data", small_data, "--limit", 64, "--json").json
        inner[name] = next(layer["snr_db"] for layer in compared["layers"] if layer["layer"] == "/conv2/Conv")
    assert inner["features"] > inner["plain"] + 5, inner


def test_distill_without_labels(pare, trainer, small_data, tmp_path):
    data = tmp_path / "unlabelled.yaml"
    text = small_data.read_text().replace(", labels: train-labels", "").replace(", labels: test-labels", "")
    data.write_text(text.replace("train-images", str(small_data.parent / "train-images")).replace(
        "test-images", str(small_data.parent / "test-images")))
    record = pare("distill", CONVNET, "--teacher", RESNET10, "--data", data, "-o", tmp_path / "s.onnx", "--epochs", 1, "--json").json
    assert record["steps"][0]["distill"]["alpha"] == 1 and record["metric"] == "agreement"


def test_distill_refusals(refused, trainer, small_data, tmp_path):
    refused(2, ["distill.teacher", "missing"], "distill", CONVNET, "--data", small_data, "-o", "s.onnx")
    alike = ("distill", CONVNET, "--teacher", CONVNET, "--data", small_data, "-o", "s.onnx")
    refused(2, ["distill.features", "Reluu"], *alike, "--features", "Reluu")
    refused(2, ["distill.mixup", "-1"], *alike, "--mixup", -1)
    refused(3, ["nowhere.onnx"], "distill", CONVNET, "--teacher", "nowhere.onnx", "--data", small_data, "-o", "s.onnx")
    other = os.environ.get("PARE_TEST_MODELS")
    if other:
        refused(3, ["teacher", "input"], "distill", CONVNET, "--teacher", pathlib.Path(other) / "efficientnet_lite0.onnx",
                "--data", small_data, "-o", "s.onnx")


def test_contradicting_lowrank_options(refused):
    refused(2, ["lowrank", "rank"], "lowrank", MLP, "-o", "l.onnx", "--rank", 4, "--ratio", 0.5)


def conv_blocks_are_whole(weight, rows, columns):
    """[O, I, kh, kw]: every block of rows x columns channels of a tap is all zeros or has none."""
    for o in range(0, weight.shape[0], rows):
        for i in range(0, weight.shape[1], columns):
            block = weight[o:o + rows, i:i + columns] == 0
            taps = block.reshape(-1, block.shape[2] * block.shape[3])
            if not (taps.all(axis=0) | ~taps.any(axis=0)).all():
                return False
    return True


@pytest.mark.parametrize("method", ["magnitude", "obs", "wanda", "snip", "fisher", "gradient", "taylor", "random"])
@pytest.mark.parametrize("pattern", ["2:4", "1x4", "2x8"])
def test_patterns(pare, small_data, tmp_path, method, pattern):
    import onnx
    import onnx.numpy_helper
    out = tmp_path / "p.onnx"
    options = [] if ":" in pattern else ["--sparsity", 0.5]
    if method not in ("magnitude", "random"):
        options += ["--samples", 64]
    if method not in ("magnitude", "random", "obs"):
        options += ["--scope", "layer"]
    pare("prune", CONVNET, "--method", method, "--pattern", pattern, *options, "--data", small_data, "-o", out)
    weights = [onnx.numpy_helper.to_array(t) for t in onnx.load(str(out)).graph.initializer]
    kernels = [w for w in weights if w.ndim == 4 and w.shape[1] >= 8]
    assert kernels
    for w in kernels:
        if pattern == "2:4":
            groups = (w.transpose(0, 2, 3, 1).reshape(-1, 4) != 0).sum(axis=1)
            assert groups.max() <= 2 and (w == 0).mean() == 0.5
        else:
            assert conv_blocks_are_whole(w, *map(int, pattern.split("x"))) and abs((w == 0).mean() - 0.5) < 0.06
