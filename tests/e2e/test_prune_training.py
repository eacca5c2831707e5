"""prune while training: learned masks, schedules, rewinding, resuming; and the criteria that these share."""
import json
import signal

import numpy as np
import pytest

from conftest import listing, run_pare
from test_compress import expect_resumed_to_the_same_bytes, start_and_interrupt, weights
from test_prune import CONVNET, RESNET10, TRAINING, prune, same_as_onnx_runtime, zero_share

LEARNED = {
    "movement": ("--method", "movement", "--sparsity", 0.6),
    "soft_threshold": ("--method", "soft_threshold", "--start", -4, "--threshold-decay", 0.1),
    "l0": ("--method", "l0", "--start", 0, "--gate-lr", 50, "--penalty", 3),
}


@pytest.mark.parametrize("method", LEARNED)
def test_learned_masks(pare, trainer, small_data, test_images, tmp_path, method):
    out = tmp_path / "p.onnx"
    record = prune(pare, CONVNET, out, *LEARNED[method], *TRAINING, "--data", small_data, "--epochs", 1)
    step = record["steps"][0]
    assert zero_share(out) == pytest.approx(step["pruned"]["sparsity"], abs=1e-6)
    assert step["pruned"]["sparsity"] == pytest.approx(0.6, abs=0.01) if method == "movement" else step["pruned"]["sparsity"] > 0
    for (name, array), layer in zip(weights(out), step["pruned"]["layers"]):
        assert np.mean(array == 0) == pytest.approx(layer["sparsity"], abs=1e-9), name
    # The curve's last point is the student's in training, the step's summary that of the model that is written.
    assert step["curve"][-1]["val_top1"] == pytest.approx(step["summary"]["val"]["top1"], abs=1.01)  # of 400 images
    histogram = step["importance"]
    assert sum(histogram["all"]) == sum(array.size for _, array in weights(out))
    assert sum(histogram["kept"]) == sum(np.count_nonzero(array) for _, array in weights(out))
    import onnx
    model = onnx.load(str(out))
    assert {node.domain for node in model.graph.node} == {""} and {entry.domain for entry in model.opset_import} == {""}
    same_as_onnx_runtime(out, test_images[0][:200], tmp_path)


@pytest.mark.parametrize("flags, few, many", [(("--method", "l0", "--start", 0, "--gate-lr", 50), ("--penalty", 0), ("--penalty", 30)),
                                              (("--method", "soft_threshold", "--start", -4), ("--threshold-decay", 0),
                                               ("--threshold-decay", 1))], ids=["l0", "soft_threshold"])
def test_a_higher_price_gives_more_zeros(pare, trainer, small_data, tmp_path, flags, few, many):
    shares = []
    for name, price in (("few.onnx", few), ("many.onnx", many)):
        prune(pare, CONVNET, tmp_path / name, *flags, *price, *TRAINING, "--data", small_data, "--epochs", 1)
        shares.append(zero_share(tmp_path / name))
    assert shares[1] > shares[0], shares


def test_movement_by_pattern(pare, trainer, small_data, tmp_path):
    out = tmp_path / "p.onnx"
    prune(pare, CONVNET, out, "--method", "movement", "--pattern", "2:4", "--exclude", "first", *TRAINING, "--data", small_data,
          "--epochs", 0.5)
    for _, array in weights(out)[1:]:
        groups = np.count_nonzero(array.reshape(-1, 4), axis=1)
        assert groups.max() <= 2


def test_l0_by_channel(pare, trainer, small_data, tmp_path):
    out = tmp_path / "p.onnx"
    prune(pare, CONVNET, out, "--method", "l0", "--gates", "channel", "--start", -1.5, "--gate-lr", 50, "--penalty", 3,
          "--exclude", "last", *TRAINING, "--data", small_data, "--epochs", 1)
    for _, array in weights(out)[:-1]:
        zeros = (array.reshape(len(array), -1) == 0).mean(axis=1)
        assert set(np.unique(zeros)) <= {0.0, 1.0}


@pytest.mark.parametrize("method", LEARNED)
def test_later_steps_keep_learned_masks(pare, trainer, small_data, tmp_path, method):
    pare("prune", CONVNET, "-o", tmp_path / "p.onnx", *LEARNED[method], *TRAINING, "--data", small_data, "--epochs", 0.5)
    pare("finetune", tmp_path / "p.onnx", "-o", tmp_path / "f.onnx", *TRAINING, "--data", small_data, "--epochs", 0.3)
    pare("quantize", tmp_path / "f.onnx", "-o", tmp_path / "q.onnx", "--data", small_data, "--activations-samples", 64)
    for (_, was), (_, tuned), (_, now) in zip(*(weights(tmp_path / name) for name in ("p.onnx", "f.onnx", "q.onnx"))):
        assert np.array_equal(tuned == 0, was == 0) and not np.array_equal(tuned, was)
        assert np.all(now[was == 0] == 0) and np.any(now != 0)


RESUMED = {**LEARNED, "taylor": ("--method", "taylor", "--sparsity", 0.6, "--samples", 64)}


@pytest.mark.parametrize("method", RESUMED)
def test_pruning_while_training_resumes_to_the_same_bytes(pare, trainer, small_data, tmp_path, method):
    options = ", ".join(f"{flag[2:].replace('-', '_')}: {value}" for flag, value in zip(RESUMED[method][::2], RESUMED[method][1::2]))
    expect_resumed_to_the_same_bytes(pare, small_data, tmp_path, f"prune: {{{options}, batch_size: 32, epochs: 4}}")


CRITERIA = ["magnitude", "wanda", "snip", "fisher", "gradient", "taylor", "random"]


def samples_of(method):
    return () if method in ("magnitude", "random") else ("--samples", 64)


def mean_bin(counts):
    return sum(place * count for place, count in enumerate(counts)) / sum(counts)


@pytest.mark.parametrize("method, schedule", [(method, "cubic") for method in CRITERIA] + [
    (method, schedule) for method in ("gradient", "taylor") for schedule in ("linear", "exponential", "iterative")])
def test_schedules(pare, trainer, small_data, tmp_path, method, schedule):
    record = prune(pare, CONVNET, tmp_path / "p.onnx", "--method", method, "--schedule", schedule, "--scope", "layer", "--sparsity", 0.75,
                   "--exclude", "last", *samples_of(method), *TRAINING, "--data", small_data, "--epochs", 0.5)
    step = record["steps"][0]
    for name, array in weights(tmp_path / "p.onnx")[:-1]:
        assert np.mean(array == 0) == pytest.approx(0.75, abs=0.01), name
    assert step["curve"] and step["trainer"]
    histogram = step["importance"]
    assert sum(histogram["all"]) == sum(sum(layer["all"]) for layer in histogram["layers"])
    assert sum(histogram["kept"]) == pytest.approx(0.25 * sum(histogram["all"]), rel=0.02)
    if method != "random":
        assert mean_bin(histogram["kept"]) > mean_bin(histogram["all"]), "what scores little goes"


@pytest.mark.parametrize("method", ["magnitude", "taylor"])
def test_rewinding(pare, trainer, small_data, tmp_path, method):
    """Weights that stay are those of the rewinding point, but for what the last round trains."""
    early = tmp_path / "early.onnx"
    pare("finetune", CONVNET, "-o", early, *TRAINING, "--data", small_data, "--epochs", 0.2, "--lr", 0.05)
    flags = ("--method", method, "--schedule", "iterative", "--rounds", 2, "--sparsity", 0.75, "--scope", "layer",
             *samples_of(method), *TRAINING, "--data", small_data, "--epochs", 1, "--lr", 1e-7, "--weight-decay", 0)
    for name, back, source in (("f.onnx", early, early), ("s.onnx", "start", CONVNET)):
        prune(pare, CONVNET, tmp_path / name, *flags, "--rewind", back)
        for (layer, was), (_, now) in zip(weights(source), weights(tmp_path / name)):
            assert np.mean(now == 0) == pytest.approx(0.75, abs=0.01), layer
            assert np.abs(now - was)[now != 0].max() < 1e-4, layer
    other = [np.abs(a - b).max() for (_, a), (_, b) in zip(weights(early), weights(CONVNET))]
    assert max(other) > 1e-3, "the two rewinding points differ"


def test_filters_in_rounds(pare, trainer, small_data, test_images, tmp_path):
    """Killed in the second of two rounds and resumed: the bytes of a run that was left alone."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("steps:\n  - prune: {method: filters, macs: 0.5, rounds: 2, round_to: 1, batch_size: 32, epochs: 4, lr: 0.002}\n")

    def arguments(out):
        return ["compress", CONVNET, "--recipe", recipe, "--data", small_data, "-o", out, "--threads", 2, "--quiet"]
    whole, out = tmp_path / "whole", tmp_path / "stopped"
    pare(*arguments(whole))
    step = json.loads((whole / "run.json").read_text())["steps"][0]
    first, second = step["rounds"]
    assert first["macs"] == pytest.approx(0.5 ** 0.5, abs=0.05) and 0.4 < second["macs"] <= 0.5
    assert first["filters"]["channels_after"] == second["filters"]["channels_before"]
    assert [point["epoch"] for point in step["curve"]] == [1, 2, 3, 4] and step["budget"]["met"]
    assert step["curve"][-1]["val_top1"] > 80
    checkpoints = out / "checkpoints"
    code = start_and_interrupt(arguments(out), tmp_path, signal.SIGTERM,
                               lambda: (checkpoints / "step_0_round_2.onnx").exists() and (checkpoints / "training.ckpt").exists())
    assert code == 128 + signal.SIGTERM and [p.name for p in out.iterdir()] == ["checkpoints"]
    pare(*arguments(out), "--resume")
    assert (out / "model.onnx").read_bytes() == (whole / "model.onnx").read_bytes()
    assert not [p.name for p in checkpoints.iterdir() if "round" in p.name]
    same_as_onnx_runtime(out / "model.onnx", test_images[0][:100], tmp_path)


def recurrent_model(folder):
    """`x` [N, 3, 16, 16] → ConvTranspose → mean over rows → LSTM over the columns → 4 classes; and data for it."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    rng = np.random.default_rng(4)
    shapes = {"up.w": (3, 8, 2, 2), "lstm.w": (1, 24, 8), "lstm.r": (1, 24, 6), "lstm.b": (1, 48), "head.w": (6, 4)}
    constants = [numpy_helper.from_array((rng.standard_normal(dims) * 0.4).astype(np.float32), name) for name, dims in shapes.items()]
    constants += [numpy_helper.from_array(np.array([value]), name) for name, value in (("rows", 2), ("zero", 0))]
    nodes = [helper.make_node("ConvTranspose", ["x", "up.w"], ["a"], name="up", kernel_shape=[2, 2], strides=[2, 2]),
             helper.make_node("ReduceMean", ["a", "rows"], ["b"], name="mean", keepdims=0),
             helper.make_node("Transpose", ["b"], ["c"], name="columns", perm=[2, 0, 1]),
             helper.make_node("LSTM", ["c", "lstm.w", "lstm.r", "lstm.b"], ["", "d"], name="lstm", hidden_size=6),
             helper.make_node("Squeeze", ["d", "zero"], ["e"], name="last"), helper.make_node("MatMul", ["e", "head.w"], ["y"], name="head")]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 16, 16])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(folder / "m.onnx"))
    images = rng.standard_normal((64, 3, 16, 16)).astype(np.float32)
    np.savez(folder / "d.npz", x=images, y=np.arange(64) % 4)
    (folder / "d.yaml").write_text("train: {format: npz, file: d.npz, labels: y}\ntest: {format: npz, file: d.npz, labels: y}\n")
    return images


@pytest.mark.parametrize("method", ["magnitude", "taylor", "cubic", "l0", "wanda", "obs"])
def test_transposed_convolutions_and_recurrent_layers(pare, trainer, tmp_path, method):
    import onnx
    import onnxruntime
    from onnx import numpy_helper
    images = recurrent_model(tmp_path)
    flags = {"cubic": ("--method", "magnitude", "--epochs", 2, "--batch-size", 16),
             "l0": ("--method", "l0", "--start", 0, "--gate-lr", 50, "--penalty", 0.03, "--epochs", 2, "--batch-size", 8, "--lr", 0.05)}.get(method, ("--method", method))
    step = prune(pare, tmp_path / "m.onnx", tmp_path / "p.onnx", *flags, *(() if method == "l0" else ("--sparsity", 0.5, "--scope", "layer")),
                 "--data", tmp_path / "d.yaml")["steps"][0]
    zeros = {tensor.name: np.mean(numpy_helper.to_array(tensor) == 0) for tensor in onnx.load(str(tmp_path / "p.onnx")).graph.initializer}
    seen = {"lstm.w", "head.w"} | (set() if method in ("wanda", "obs") else {"up.w", "lstm.r"})
    for name in ("up.w", "lstm.w", "lstm.r", "head.w"):
        if method == "l0":
            assert 0 < zeros[name] < 1, (name, zeros)
        else:
            assert zeros[name] == pytest.approx(0.5 if name in seen else 0, abs=0.03), name
    assert {layer["weight"] for layer in step["pruned"]["layers"]} == seen
    reasons = [note for note in step["notes"] if "left as it was" in note]
    assert [note.split("'")[1] for note in reasons] == ([] if len(seen) == 4 else ["up", "lstm"])
    wanted = onnxruntime.InferenceSession(str(tmp_path / "p.onnx"), providers=["CPUExecutionProvider"]).run(None, {"x": images[:8]})[0]
    np.savez(tmp_path / "in.npz", x=images[:8])
    pare("run", tmp_path / "p.onnx", "--inputs", tmp_path / "in.npz", "-o", tmp_path / "y.npz")
    with np.load(tmp_path / "y.npz") as got:
        assert np.abs(got["y"] - wanted).max() < 1e-4 * np.ptp(wanted)


def test_rewinding_to_another_network_is_refused(refused, trainer, small_data):
    refused(3, ["prune.rewind"], "prune", CONVNET, "--data", small_data, "-o", "p.onnx", "--schedule", "iterative", "--epochs", 0.5,
            "--rewind", RESNET10)


@pytest.mark.parametrize("method", CRITERIA)
def test_thresholds(pare, trainer, small_data, tmp_path, method):
    kept = []
    for threshold in (0, 1e-9, 1e20):
        out = tmp_path / f"{threshold}.onnx"
        record = prune(pare, CONVNET, out, "--method", method, "--threshold", threshold, "--exclude", "last", *samples_of(method), "--data",
                       small_data)
        kept.append(sum(record["steps"][0]["importance"]["kept"]))
    assert kept[0] >= kept[1] > kept[2] == 0
    assert all(np.all(array == 0) for _, array in weights(out)[:-1])


def test_pruning_at_once_then_training(pare, trainer, small_data, tmp_path):
    record = prune(pare, CONVNET, tmp_path / "p.onnx", "--method", "snip", "--schedule", "one-shot", "--sparsity", 0.8, *TRAINING,
                   "--samples", 128, "--data", small_data, "--epochs", 0.5)
    assert record["steps"][0]["curve"] and zero_share(tmp_path / "p.onnx") == pytest.approx(0.8, abs=0.01)


def test_learned_masks_need_data(tmp_path):
    before = listing(tmp_path)
    result = run_pare("prune", CONVNET, "--method", "movement", "-o", tmp_path / "p.onnx")
    assert result.code == 2 and "train split" in result.error and listing(tmp_path) == before
