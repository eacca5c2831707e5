"""prune: blocks, exact OBS, re-estimated statistics and widths through norms, as a user meets them."""
import numpy as np
import pytest

from conftest import MODELS, ort_run, pare_run, run_pare
from test_compress import weights

CONVNET = MODELS / "fmnist_convnet.onnx"
RESNET10 = MODELS / "fmnist_resnet10.onnx"
TRAINING = ("--batch-size", 32, "--threads", 2)


def prune(pare, model, out, *flags):
    return pare("prune", model, "-o", out, *flags, "--json").json


def zero_share(path):
    arrays = [array for _, array in weights(path)]
    return sum(np.count_nonzero(array == 0) for array in arrays) / sum(array.size for array in arrays)


def same_as_onnx_runtime(path, images, folder):
    got, expected = pare_run(path, images, folder), ort_run(path, images)
    assert np.abs(got - expected).max() <= 1e-4 * (expected.max() - expected.min())


def test_blocks(pare, small_data, test_images, tmp_path):
    out = tmp_path / "p.onnx"
    record = prune(pare, RESNET10, out, "--method", "blocks", "--data", small_data, "--samples", 64)
    removed = record["steps"][0]["blocks"]["removed"]
    assert len(removed) == 1 and removed[0]["layers"]
    left = {name for name, _ in weights(out)}
    assert not left & set(removed[0]["layers"]) and len(left) == len(weights(RESNET10)) - len(removed[0]["layers"])
    assert record["after"]["macs"] / record["before"]["macs"] == pytest.approx(removed[0]["macs"], abs=1e-6)
    same_as_onnx_runtime(out, test_images[0][:100], tmp_path)


def test_blocks_budget_that_cannot_be_met(small_data, tmp_path):
    out = tmp_path / "p.onnx"
    result = run_pare("prune", RESNET10, "-o", out, "--method", "blocks", "--data", small_data, "--samples", 32, "--macs", 0.01)
    assert result.code == 8 and "macs" in result.error
    assert out.exists() and len(weights(out)) < len(weights(RESNET10)), "the best that was reached is written"


def test_a_latency_budget(pare, test_images, small_data, tmp_path):
    out = tmp_path / "p.onnx"
    record = prune(pare, RESNET10, out, "--method", "filters", "--latency", 0.7, "--data", small_data)
    budget, after, before = record["steps"][0]["budget"], record["after"], record["before"]
    assert budget["of"] == "latency" and budget["met"] and 0 < budget["reached"] <= 0.7 and 0 < budget["ratio"] < 0.99
    assert after["macs"] < before["macs"] and after["latency"]["median_ms"] < before["latency"]["median_ms"]
    lanes = 16 if "avx512" in record["environment"]["isa"] else 8
    groups = [group for group in record["steps"][0]["filters"]["groups"] if group["reason"] is None]
    assert groups and all(group["kept"] % lanes == 0 or group["kept"] == group["channels"] for group in groups)
    same_as_onnx_runtime(out, test_images[0][:100], tmp_path)


@pytest.mark.parametrize("method", ["filters", "blocks"])
def test_a_latency_budget_that_cannot_be_met(small_data, tmp_path, method):
    out = tmp_path / "p.onnx"
    result = run_pare("prune", RESNET10, "-o", out, "--method", method, "--latency", 0.001, "--data", small_data, "--samples", 32)
    assert result.code == 8 and "latency" in result.error
    assert out.exists() and out.stat().st_size < RESNET10.stat().st_size, "the best that was reached is written"


def image_model(path, nodes, weights, opset=20):
    """`x` [N, 3, 16, 16] through the nodes; convolutions of 3×3 pad. `weights`: shapes by name."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    rng = np.random.default_rng(4)
    constants = [numpy_helper.from_array((rng.standard_normal(dims) * 0.3).astype(np.float32), name) for name, dims in weights.items()]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 16, 16])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9), str(path))


def conv_node(name, x, y):
    from onnx import helper
    return helper.make_node("Conv", [x, name + ".w"], [y], name=name, kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def upsampling_nodes(opset):
    """A transposed convolution up, GroupNorm, a pixel shuffle by DepthToSpace in its default mode."""
    from onnx import helper
    scale = 4 if opset < 21 else 16
    nodes = [conv_node("stem", "x", "a"),
             helper.make_node("ConvTranspose", ["a", "up.w"], ["b"], name="up", kernel_shape=[2, 2], strides=[2, 2]),
             helper.make_node("GroupNormalization", ["b", "scale", "bias"], ["c"], name="norm", num_groups=4),
             helper.make_node("Relu", ["c"], ["d"]), conv_node("deep", "d", "e"),
             helper.make_node("DepthToSpace", ["e"], ["f"], name="shuffle", blocksize=2), conv_node("head", "f", "y")]
    return nodes, {"stem.w": (12, 3, 3, 3), "up.w": (12, 16, 2, 2), "scale": (scale,), "bias": (scale,), "deep.w": (32, 16, 3, 3),
                   "head.w": (2, 8, 3, 3)}


@pytest.mark.parametrize("opset", [18, 21])
def test_up_convolutions_group_norms_and_pixel_shuffle(pare, tmp_path, opset):
    import onnx
    import onnxruntime
    nodes, weights_by_name = upsampling_nodes(opset)
    image_model(tmp_path / "m.onnx", nodes, weights_by_name, opset)
    record = prune(pare, tmp_path / "m.onnx", tmp_path / "p.onnx", "--method", "filters", "--ratio", 0.5, "--round-to", 1)
    groups = {group["group"]: group for group in record["steps"][0]["filters"]["groups"]}
    assert {name: group["kept"] for name, group in groups.items() if group["reason"] is None} == {"stem": 6, "up": 8, "deep": 16}
    smaller = {tensor.name: list(tensor.dims) for tensor in onnx.load(str(tmp_path / "p.onnx")).graph.initializer}
    assert smaller["up.w"] == [6, 8, 2, 2] and smaller["deep.w"] == [16, 8, 3, 3] and smaller["head.w"] == [2, 4, 3, 3]
    assert smaller["scale"] == [2 if opset < 21 else 8]
    image = np.random.default_rng(5).standard_normal((2, 3, 16, 16)).astype(np.float32)
    np.savez(tmp_path / "in.npz", x=image)
    pare("run", tmp_path / "p.onnx", "--inputs", tmp_path / "in.npz", "-o", tmp_path / "y.npz")
    wanted = onnxruntime.InferenceSession(str(tmp_path / "p.onnx"), providers=["CPUExecutionProvider"]).run(None, {"x": image})[0]
    with np.load(tmp_path / "y.npz") as got:
        assert np.abs(got["y"] - wanted).max() < 1e-4 * np.ptp(wanted)
    only = prune(pare, tmp_path / "m.onnx", tmp_path / "o.onnx", "--method", "filters", "--ratio", 0.5, "--round-to", 1, "--include", "up")
    assert [group["group"] for group in only["steps"][0]["filters"]["groups"] if group["reason"] is None] == ["up"]


def layer_error(pare, model, out, small_data, *flags):
    prune(pare, model, out, "--method", "obs", "--sparsity", 0.7, "--data", small_data, "--samples", 128, *flags)
    compared = pare("compare", model, out, "--data", small_data, "--limit", 64, "--json").json
    return compared["snr_db"]


def test_exact_obs(pare, small_data, test_images, tmp_path):
    by_blocks = layer_error(pare, CONVNET, tmp_path / "b.onnx", small_data, "--no-refit", "--exact", 0)
    exact = layer_error(pare, CONVNET, tmp_path / "e.onnx", small_data, "--no-refit", "--exact", 1024)
    assert exact > by_blocks, "one weight after the other, with the whole inverse"
    assert zero_share(tmp_path / "e.onnx") == pytest.approx(0.7, abs=0.01)
    same_as_onnx_runtime(tmp_path / "e.onnx", test_images[0][:100], tmp_path)


@pytest.mark.parametrize("pattern", ["1x4", "2x8"])
def test_exact_obs_of_blocks(pare, small_data, tmp_path, pattern):
    by_columns = layer_error(pare, CONVNET, tmp_path / "b.onnx", small_data, "--pattern", pattern, "--exact", 0)
    exact = layer_error(pare, CONVNET, tmp_path / "e.onnx", small_data, "--pattern", pattern, "--exact", 1024)
    assert exact > by_columns - 0.1, "one block after the other, with the whole inverse"
    assert zero_share(tmp_path / "e.onnx") == pytest.approx(0.7, abs=0.02)


def test_obs_over_all_layers(pare, small_data, test_images, tmp_path):
    flags = ("--method", "obs", "--data", small_data, "--samples", 128)
    top1 = {}
    for scope in ("layer", "global"):
        out = tmp_path / f"{scope}.onnx"
        record = prune(pare, CONVNET, out, *flags, "--sparsity", 0.9, "--scope", scope)
        shares = [layer["sparsity"] for layer in record["steps"][0]["pruned"]["layers"]]
        assert zero_share(out) == pytest.approx(0.9, abs=0.01)
        assert (np.ptp(shares) > 0.05) == (scope == "global") and max(shares) < 1
        top1[scope] = pare("eval", out, "--data", small_data, "--json").json["metrics"]["top1"]
    assert top1["global"] > top1["layer"], "the layers that cost little lose more"
    same_as_onnx_runtime(tmp_path / "global.onnx", test_images[0][:100], tmp_path)
    few, many = (prune(pare, CONVNET, tmp_path / f"{t}.onnx", *flags, "--threshold", t)["steps"][0]["pruned"]["sparsity"]
                 for t in (1e-7, 1e-4))
    assert 0 < few < many < 1


def batch_norm_model(path, exported_folded=False):
    """conv → BatchNorm → relu → sum with itself through conv → BatchNorm (of the sum) → relu → conv → mean → 10 classes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    rng = np.random.default_rng(3)
    arrays, nodes = {}, []

    def constant(name, array):
        arrays[name] = np.asarray(array, np.float32)
        return name

    def conv(name, x, out, into, size=3):
        nodes.append(helper.make_node("Conv", [x, constant(name + ".w", 0.3 * rng.standard_normal((out, into, size, size)))], [name],
                                      name=name, pads=[size // 2] * 4))
        return name

    def norm(name, x, scale):
        if exported_folded:
            return x
        inputs = [constant(f"{name}.{part}", values) for part, values in
                  (("scale", scale), ("bias", rng.standard_normal(len(scale))), ("mean", rng.standard_normal(len(scale))),
                   ("var", 1 + rng.random(len(scale))))]
        nodes.append(helper.make_node("BatchNormalization", [x] + inputs, [name], name=name))
        return name

    def simple(op, name, inputs):
        nodes.append(helper.make_node(op, inputs, [name], name=name))
        return name
    stem = simple("Relu", "r0", [norm("n0", conv("stem", "image", 8, 1), np.arange(8, 0, -1))])
    trunk = simple("Add", "sum", [conv("body", stem, 8, 8), stem])
    wide = conv("wide", simple("Relu", "r1", [norm("n1", trunk, np.ones(8))]), 12, 8)
    wide = simple("Relu", "r2", [norm("n2", wide, np.where(np.arange(12) % 2, 0.01, 1.0))])
    flat = simple("Flatten", "flat", [simple("GlobalAveragePool", "pool", [wide])])
    nodes.append(helper.make_node("Gemm", [flat, constant("head.w", rng.standard_normal((10, 12)))], ["y"], name="head", transB=1))
    graph = helper.make_graph(nodes, "norms", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 28, 28])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 10])],
                              [numpy_helper.from_array(array, name) for name, array in arrays.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def test_batch_norm_scale_ranks_channels(pare, test_images, tmp_path):
    model, out = tmp_path / "m.onnx", tmp_path / "p.onnx"
    batch_norm_model(model)
    record = prune(pare, model, out, "--method", "filters", "--importance", "bn-scale", "--ratio", 0.5, "--round-to", 1)
    groups = {group["group"]: group for group in record["steps"][0]["filters"]["groups"]}
    assert groups["wide"]["kept"] == 6 and groups["stem"]["kept"] == 4
    heads = [dict(weights(path))["head"] for path in (model, out)]
    assert np.array_equal(heads[1], heads[0][:, :, ::2]), "those of scale 1 stay"
    same_as_onnx_runtime(out, test_images[0][:50], tmp_path)
    assert b"pare.note" not in out.read_bytes()


def test_batch_norm_scale_needs_a_batch_norm(refused, tmp_path):
    batch_norm_model(tmp_path / "m.onnx", exported_folded=True)
    refused(4, ["BatchNormalization", "folded", "l1"], "prune", "m.onnx", "-o", "p.onnx", "--method", "filters", "--importance", "bn-scale")


@pytest.mark.parametrize("importance", ["wanda", "fisher", "geometric-median"])
def test_channels_by_what_they_do(pare, trainer, small_data, test_images, tmp_path, importance):
    out = tmp_path / "p.onnx"
    record = prune(pare, RESNET10, out, "--method", "filters", "--importance", importance, "--ratio", 0.25, "--samples", 64, "--data",
                   small_data)
    assert record["steps"][0]["filters"]["channels_after"] < record["steps"][0]["filters"]["channels_before"]
    same_as_onnx_runtime(out, test_images[0][:100], tmp_path)


@pytest.mark.parametrize("match", ["mean", "variance"])
def test_reestimated_statistics(pare, small_data, tmp_path, match):
    plain = prune(pare, RESNET10, tmp_path / "a.onnx", "--sparsity", 0.8, "--data", small_data)
    mended = prune(pare, RESNET10, tmp_path / "b.onnx", "--sparsity", 0.8, "--data", small_data, "--reestimate-match", match,
                   "--reestimate-samples", 256)
    layers = mended["steps"][0]["reestimation"]["layers"]
    assert mended["steps"][0]["reestimation"]["match"] == match and any(layer["reason"] is None for layer in layers)
    assert mended["after"]["test"]["loss"] < plain["after"]["test"]["loss"]
    for (_, a), (_, b) in zip(weights(tmp_path / "a.onnx"), weights(tmp_path / "b.onnx")):
        assert np.array_equal(a == 0, b == 0)
        assert np.array_equal(a, b) or match == "variance"


def norm_model(path):
    """words [50, 32] → LayerNormalization → feed-forward with residual → LayerNormalization → [5]."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    rng = np.random.default_rng(2)
    shapes = {"table": (50, 32), "s0": (32,), "b0": (32,), "up": (32, 48), "down": (48, 32), "s1": (32,), "b1": (32,), "out": (32, 5)}
    constants = [numpy_helper.from_array((rng.standard_normal(shape) * 0.4).astype(np.float32), name) for name, shape in shapes.items()]
    norm = {"axis": -1}
    nodes = [helper.make_node("Gather", ["table", "ids"], ["e"]), helper.make_node("LayerNormalization", ["e", "s0", "b0"], ["n"], **norm),
             helper.make_node("MatMul", ["n", "up"], ["u"], name="up"), helper.make_node("Relu", ["u"], ["r"]),
             helper.make_node("MatMul", ["r", "down"], ["d"], name="down"), helper.make_node("Add", ["d", "e"], ["a"]),
             helper.make_node("LayerNormalization", ["a", "s1", "b1"], ["m"], **norm), helper.make_node("MatMul", ["m", "out"], ["y"], name="out")]
    graph = helper.make_graph(nodes, "norms", [helper.make_tensor_value_info("ids", TensorProto.INT64, ["N", 6])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 6, 5])], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def test_widths_through_norms(pare, tmp_path):
    norm_model(tmp_path / "m.onnx")
    flags = ("--method", "filters", "--ratio", 0.25, "--round-to", 1)
    kept = prune(pare, tmp_path / "m.onnx", tmp_path / "a.onnx", *flags)
    gone = prune(pare, tmp_path / "m.onnx", tmp_path / "b.onnx", *flags, "--norms")
    import onnx
    from onnx import numpy_helper
    tables = [{t.name: t.dims for t in onnx.load(str(tmp_path / name)).graph.initializer} for name in ("a.onnx", "b.onnx")]
    assert list(tables[0]["table"]) == [50, 32] and list(tables[1]["table"]) == [50, 24]
    assert list(tables[1]["s1"]) == [24] and list(tables[1]["up"]) == [24, 36]
    reasons = {group["group"]: group["reason"] for group in kept["steps"][0]["filters"]["groups"]}
    assert "LayerNormalization" in reasons["down"]
    assert {group["group"]: group["reason"] for group in gone["steps"][0]["filters"]["groups"]}["down"] is None
    import onnxruntime
    ids = np.arange(12).reshape(2, 6)
    session = onnxruntime.InferenceSession(str(tmp_path / "b.onnx"), providers=["CPUExecutionProvider"])
    np.savez(tmp_path / "in.npz", ids=ids)
    pare("run", tmp_path / "b.onnx", "--inputs", tmp_path / "in.npz", "-o", tmp_path / "y.npz")
    with np.load(tmp_path / "y.npz") as got:
        assert np.abs(got["y"] - session.run(None, {"ids": ids})[0]).max() < 1e-4


def test_the_report_tells_what_went_and_whether_it_paid(pare, tmp_path):
    def report(name, *flags):
        record = prune(pare, RESNET10, tmp_path / f"{name}.onnx", *flags, "--report", tmp_path / name)
        return record, (tmp_path / name / "report.html").read_text()
    record, page = report("zeros", "--sparsity", 0.7)
    layers = record["layers"]
    assert all(layer["before"]["latency_ms"] > 0 and layer["after"]["latency_ms"] > 0 for layer in layers)
    assert all(layer["after"]["sparsity"] == pytest.approx(0.7, abs=0.01) for layer in layers)
    assert any(layer["paid"] is False for layer in layers) == ("no faster" in page)
    histogram = record["steps"][0]["importance"]
    assert sum(histogram["kept"]) == pytest.approx(0.3 * sum(histogram["all"]), rel=0.02)
    assert histogram["kept"][0] < histogram["all"][0] and histogram["kept"][-1] == histogram["all"][-1] > 0
    assert all(word in page for word in ("Sparsity", "Measured latency", "Importance: ranked → kept", layers[0]["node"]))
    record, page = report("filters", "--method", "filters", "--ratio", 0.5)
    shrunk = [layer for layer in record["layers"] if layer["dims_after"] != layer["dims"]]
    assert shrunk and all(np.prod(layer["dims_after"]) < np.prod(layer["dims"]) for layer in shrunk)
    before, after = ("×".join(map(str, shrunk[0][key])) for key in ("dims", "dims_after"))
    assert f"{before} → {after}" in page and "Removed filters" in page and "it reaches the output" in page
    assert all(group["kept"] < group["channels"] or group["reason"] for group in record["steps"][0]["filters"]["groups"])


def outputs_only_model(path):
    """One layer, whose channels are the output: nothing that could go."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    weight = numpy_helper.from_array(np.ones((8, 4), np.float32), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"], name="only")], "g",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


@pytest.mark.parametrize("flags, words", [
    (["--sparsity", 1], ["sparsity", "0.9999", "1"]),
    (["--sparsity", -0.1], ["sparsity", "-0.1"]),
    (["--pattern", "8:four"], ["pattern", "8:four"]),
    (["--pattern", "9:8"], ["pattern", "9:8"]),
    (["--pattern", "2:4", "--sparsity", 0.75], ["sparsity", "2:4", "0.5", "0.75"]),
    (["--method", "movment"], ["movment", "movement"]),
    (["--method", "movement", "--pattern", "2:4", "--sparsity", 0.75], ["sparsity", "2:4"]),
    (["--method", "movement", "--epochs", 0], ["epochs", "more than 0"]),
    (["--method", "soft_threshold", "--threshold-decay", -1], ["threshold_decay", "-1"]),
    (["--method", "soft_threshold", "--sparsity", 0.5], ["prune.sparsity", "unknown key"]),
    (["--method", "l0", "--gates", "filter"], ["gates", "weight, channel"]),
    (["--method", "l0", "--penality", 1], ["--penality", "did you mean '--penalty'"]),
    (["--reestimate-match", "median"], ["reestimate.match", "mean, variance"]),
    (["--method", "blocks", "--count", 99], ["count", "99"]),
    (["--method", "filters", "--macs", 0.5, "--ratio", 0.5], ["ratio", "macs"]),
    (["--method", "snip", "--sparsity", 0.5, "--threshold", 0.1], ["threshold", "sparsity"]),
    (["--method", "taylor", "--schedule", "cubic"], ["schedule", "epochs above 0"]),
    (["--method", "wanda", "--schedule", "linear", "--epochs", 1, "--rewind", "start"], ["rewind", "iterative"]),
    (["--method", "obs", "--threshold", 0.1, "--sparsity", 0.5], ["prune.threshold"]),
    (["--method", "obs", "--pattern", "2:4", "--scope", "global"], ["prune.scope", "2:4"]),
    (["--method", "obs", "--sparsity", 0.8, "--scope", "global", "--most", 0.7], ["prune.most", "0.8", "0.7"]),
    (["--method", "magnitude", "--most", 0.7], ["prune.most", "no effect"]),
    (["--method", "filters", "--threshold", 0.5, "--scope", "global"], ["prune.scope", "threshold"]),
    (["--method", "filters", "--most", 0.5], ["prune.most", "no effect"]),
    (["--method", "filters", "--rounds", 2, "--threshold", 0.5], ["prune.threshold", "rounds 1"]),
    (["--method", "filters", "--rounds", 900, "--epochs", 1], ["prune.rounds", "900"]),
    (["--method", "filters", "--damping", 0.1], ["prune.damping", "least_squares"]),
    (["--method", "filters", "--round-to", "seven"], ["prune.round_to", "auto", "seven"]),
    (["--method", "blocks", "--latency", 0.5, "--macs", 0.5], ["latency", "macs"]),
])
def test_refusals(refused, trainer, small_data, flags, words):
    refused(2, words, "prune", RESNET10, "--data", small_data, "-o", "p.onnx", *flags)


def test_names_that_match_nothing_come_with_near_misses(refused):
    name = weights(CONVNET)[0][0]
    refused(2, [name + "x", f"did you mean '{name}'"], "prune", CONVNET, "-o", "p.onnx", "--exclude", name + "x")


def test_a_graph_without_a_prunable_group(refused, tmp_path):
    outputs_only_model(tmp_path / "m.onnx")
    refused(4, ["only", "output"], "prune", "m.onnx", "-o", "p.onnx", "--method", "filters")


@pytest.mark.parametrize("flags", [["--method", "snip"], ["--method", "fisher"], ["--method", "gradient"], ["--method", "taylor"],
                                   ["--method", "filters", "--importance", "taylor"], ["--method", "filters", "--importance", "fisher"]])
def test_gradient_criteria_need_labels(refused, trainer, small_data, tmp_path, flags):
    folder = small_data.parent
    (tmp_path / "unlabelled.yaml").write_text(f"train: {{format: idx, images: {folder}/train-images}}\n"
                                              "preprocess: {scale: 255, mean: [0.2860], std: [0.3530]}\n")
    refused(2, ["label"], "prune", CONVNET, "--data", "unlabelled.yaml", "-o", "p.onnx", *flags)


def test_a_channel_budget_that_cannot_be_met(small_data, tmp_path):
    out = tmp_path / "p.onnx"
    result = run_pare("prune", CONVNET, "-o", out, "--method", "filters", "--macs", 0.001)
    assert result.code == 8 and "macs" in result.error and out.exists()
