"""quantize --method qat: what training gains, the integers that are written, interruption, refusals."""
import numpy as np
import pytest

from conftest import MODELS, listing, ort_run, pare_run, run_pare
from test_compress import expect_resumed_to_the_same_bytes, weights

CONVNET = MODELS / "fmnist_convnet.onnx"
FLAGS = ("--method", "qat", "--batch-size", 32, "--threads", 2)


def qat_of(pare, model, data, out, *flags):
    return pare("quantize", model, "--data", data, "-o", out, *FLAGS, *flags, "--json").json


def qat(pare, data, out, *flags):
    return qat_of(pare, CONVNET, data, out, *flags)


@pytest.mark.parametrize("flags, low, high, gain", [
    (["--weights-bits", 2, "--activations-bits", 2], -2, 1, 0),
    (["--weights-quantizer", "ternary"], -1, 1, 1),
    (["--weights-bits", 1], -1, 1, 4),
    (["--weights-quantizer", "dorefa", "--weights-bits", 2, "--activations-bits", 3, "--activations-quantizer", "pact"], -3, 3, 0),
], ids=["w2a2", "ternary", "binary", "dorefa_pact"])
def test_training_gains(pare, trainer, small_data, test_images, tmp_path, flags, low, high, gain):
    before = qat(pare, small_data, tmp_path / "p.onnx", *flags, "--epochs", 0)
    after = qat(pare, small_data, tmp_path / "q.onnx", *flags, "--epochs", 3)
    top1 = [record["after"]["test"]["top1"] for record in (before, after)]
    assert top1[1] >= top1[0] + gain, top1  # of 500 images
    layers = weights(tmp_path / "q.onnx")
    assert layers[1][1].min() == low and layers[1][1].max() == high  # first and last layers keep 8 bits
    bits = sorted(weight["bits"] for weight in after["steps"][0]["quantized"]["weights"].values())
    assert bits[0] < 3 and bits[1:] == [8, 8]
    for _, edge in (layers[0], layers[-1]):
        assert 15 < np.abs(edge.astype(int)).max() <= 128
    images = test_images[0][:1000]
    got, expected = pare_run(tmp_path / "q.onnx", images, tmp_path), ort_run(tmp_path / "q.onnx", images)
    assert np.mean(got.argmax(1) == expected.argmax(1)) >= 0.998


def test_the_trained_loss_is_the_written_models(pare, trainer, small_data, tmp_path):
    """The last point of the curve is measured on the student, the step's summary on the integers."""
    record = qat(pare, small_data, tmp_path / "q.onnx", "--weights-bits", 3, "--activations-bits", 4, "--epochs", 1,
                 "--precision", "f32")
    step = record["steps"][0]
    assert step["curve"][-1]["val_top1"] == pytest.approx(step["summary"]["val"]["top1"], abs=0.3)  # of 400 images
    assert step["curve"][-1]["val_loss"] == pytest.approx(step["summary"]["val"]["loss"], rel=2e-2)


def test_zeros_stay(pare, trainer, small_data, tmp_path):
    pare("prune", CONVNET, "--pattern", "2:4", "--exclude", "first", "-o", tmp_path / "p.onnx")
    pare("quantize", tmp_path / "p.onnx", "--data", small_data, "-o", tmp_path / "q.onnx", *FLAGS, "--epochs", 1)
    for (_, was), (_, now) in zip(weights(tmp_path / "p.onnx")[1:], weights(tmp_path / "q.onnx")[1:]):
        assert np.all(now[was == 0] == 0) and np.any(now != 0)


def distinct_by_channel(array):
    return max(len(np.unique(channel)) for channel in array)


def test_clusters_stay(pare, trainer, small_data, test_images, tmp_path):
    """Codebook, then training: no output channel takes more different values than its codebook had, and 0 stays 0."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("steps:\n  - quantize: {method: codebook, entries: 8, granularity: channel}\n"
                      "  - quantize: {method: qat, weights: {bits: 8}, epochs: 1, batch_size: 32}\n")
    pare("compress", CONVNET, "--recipe", recipe, "--data", small_data, "-o", tmp_path / "run", "--threads", 2)
    kept = weights(tmp_path / "run" / "model.onnx")
    assert [distinct_by_channel(array) <= 8 for _, array in kept] == [True] * 3
    # The same file in two commands; untied, the values part.
    pare("quantize", CONVNET, "--data", small_data, "-o", tmp_path / "c.onnx", "--method", "codebook", "--entries", 8,
         "--granularity", "channel")
    record = qat_of(pare, tmp_path / "c.onnx", small_data, tmp_path / "q.onnx", "--weights-bits", 8, "--epochs", 1)
    told = record["steps"][0]["quantized"]["weights"]
    assert any("clusters" in weight and weight["clusters"]["by"] == "channel" for weight in told.values())
    trained = weights(tmp_path / "q.onnx")
    assert all(distinct_by_channel(array) <= 8 for _, array in trained)
    start = qat_of(pare, tmp_path / "c.onnx", small_data, tmp_path / "s.onnx", "--weights-bits", 8, "--epochs", 0)
    assert record["after"]["val"]["top1"] >= start["after"]["val"]["top1"] - 1  # of 400 images
    images = test_images[0][:500]
    got, expected = pare_run(tmp_path / "q.onnx", images, tmp_path), ort_run(tmp_path / "q.onnx", images)
    assert np.mean(got.argmax(1) == expected.argmax(1)) >= 0.998


def test_weights_alone(pare, trainer, small_data, test_images, tmp_path):
    import onnx
    flags = ["--activations-quantizer", "none", "--weights-bits", 2, "--weights-group-size", 32, "--edge-bits", 0]
    start = qat(pare, small_data, tmp_path / "s.onnx", *flags, "--epochs", 0)
    record = qat(pare, small_data, tmp_path / "q.onnx", *flags, "--epochs", 1)
    assert record["after"]["val"]["top1"] >= start["after"]["val"]["top1"]
    graph = onnx.load(str(tmp_path / "q.onnx")).graph
    kinds = [node.op_type for node in graph.node]
    assert "QuantizeLinear" not in kinds and kinds.count("DequantizeLinear") == 3
    blocks = [a.i for node in graph.node for a in node.attribute if a.name == "block_size"]
    assert blocks == [32]  # the matrix
    for _, array in weights(tmp_path / "q.onnx"):
        assert array.min() >= -2 and array.max() <= 1
    images = test_images[0][:500]
    got, expected = pare_run(tmp_path / "q.onnx", images, tmp_path), ort_run(tmp_path / "q.onnx", images)
    assert np.abs(got - expected).max() <= 1e-4 * (expected.max() - expected.min())


def test_interrupted_and_resumed_has_the_same_bytes(pare, trainer, small_data, tmp_path):
    expect_resumed_to_the_same_bytes(pare, small_data, tmp_path,
                                     "quantize: {method: qat, weights: {bits: 2}, activations: {bits: 4}, epochs: 4, freeze: 0.6}")


def test_frozen_from_the_start(pare, trainer, small_data, tmp_path):
    flags = ["--weights-bits", 4, "--epochs", 0.2]
    start = qat(pare, small_data, tmp_path / "s.onnx", "--weights-bits", 4, "--epochs", 0)
    frozen = qat(pare, small_data, tmp_path / "f.onnx", *flags, "--freeze", 0)
    learned = qat(pare, small_data, tmp_path / "l.onnx", *flags)
    scales = [{name: value["scale"] for name, value in record["steps"][0]["quantized"]["activations"].items()}
              for record in (start, frozen, learned)]
    assert scales[0] == scales[1] != scales[2]
    assert any(not np.array_equal(a, b) for (_, a), (_, b) in zip(weights(tmp_path / "s.onnx"), weights(tmp_path / "f.onnx")))


@pytest.mark.parametrize("flags, words", [
    (["--weights-bits", 9], ["weights.bits", "1 to 8", "9"]),
    (["--weights-quantizer", "binary", "--weights-bits", 2], ["weights.bits", "binary"]),
    (["--weights-quantizer", "ternery"], ["weights.quantizer", "did you mean 'ternary'"]),
    (["--weight-bits", 2], ["--weight-bits", "did you mean '--weights-bits'"]),
    (["--activations-bits", 1], ["activations.bits", "2 to 8"]),
    (["--freeze", 2], ["freeze", "0 to 1"]),
    (["--weights-group-size", 32], ["weights.group_size", "activations.quantizer none"]),
    (["--activations-quantizer", "nome"], ["activations.quantizer", "did you mean 'none'"]),
    (["--weights-bits", 1, "--weights-scales", "power-of-two"], ["weights.scales", "binary"]),
])
def test_refusals(refused, trainer, small_data, flags, words):
    refused(2, words, "quantize", CONVNET, "--data", small_data, "-o", "q.onnx", "--method", "qat", *flags)


def test_refuses_groups_that_do_not_divide(refused, trainer, small_data):
    refused(4, ["group_size", "a divisor of", "33"], "quantize", CONVNET, "--data", small_data, "-o", "q.onnx", "--method", "qat",
            "--activations-quantizer", "none", "--weights-group-size", 33)


@pytest.mark.parametrize("target, integers", [("tensorrt", {"int8"}), ("openvino", {"int8", "uint8"}), ("onnxruntime", {"uint8"})])
def test_targets(pare, trainer, small_data, test_images, tmp_path, target, integers):
    import onnx
    from test_quantize import graph_of, zero_points
    out = tmp_path / "q.onnx"
    record = qat(pare, small_data, out, "--target", target, "--weights-bits", 8, "--epochs", 0.5)
    assert record["after"]["test"]["top1"] >= record["before"]["test"]["top1"] - 1  # of 500 images
    graph = graph_of(out)
    zeros = zero_points(graph)
    assert {zero.dtype.name for zero in zeros} == integers
    if target != "onnxruntime":
        assert not any(zero.any() for zero in zeros)
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    biases = [node for node in graph.node if node.op_type == "DequantizeLinear" and types.get(node.input[0]) == onnx.TensorProto.INT32]
    assert len(biases) == (0 if target == "tensorrt" else 3)
    images = test_images[0][:500]
    got, expected = pare_run(out, images, tmp_path), ort_run(out, images)
    assert np.mean(got.argmax(1) == expected.argmax(1)) >= 0.998


def test_qoperators(pare, trainer, small_data, test_images, tmp_path):
    from test_quantize import count, graph_of
    out = tmp_path / "q.onnx"
    record = qat(pare, small_data, out, "--format", "qoperator", "--weights-bits", 8, "--epochs", 0.1)
    assert record["steps"][0]["quantized"]["qoperators"]["converted"] > 0
    assert count(graph_of(out), "QLinearConv") == 2
    images = test_images[0][:500]
    got, expected = pare_run(out, images, tmp_path), ort_run(out, images)
    assert np.mean(got.argmax(1) == expected.argmax(1)) >= 0.998


def test_power_of_two_scales(pare, trainer, small_data, test_images, tmp_path):
    import onnx.numpy_helper
    from test_quantize import graph_of
    out = tmp_path / "q.onnx"
    flags = ["--weights-bits", 4, "--weights-scales", "power-of-two"]
    start = qat(pare, small_data, tmp_path / "s.onnx", *flags, "--epochs", 0)
    record = qat(pare, small_data, out, *flags, "--epochs", 1)
    assert record["after"]["val"]["top1"] >= start["after"]["val"]["top1"] - 1  # of 400 images
    told = record["steps"][0]["quantized"]["weights"].values()
    assert {weight["quantizer"] for weight in told} == {"power-of-two"}

    def scales(path):
        graph = graph_of(path)
        constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
        return [constants[node.input[1]] for node in graph.node if node.op_type == "DequantizeLinear" and
                node.input[0] in constants and constants[node.input[0]].dtype.name != "int32"]
    assert len(scales(out)) == 3
    for before, after in zip(scales(tmp_path / "s.onnx"), scales(out)):
        assert (np.frexp(after)[0] == 0.5).all() and np.array_equal(before, after), "they stay while the weights learn"
    images = test_images[0][:500]
    got, expected = pare_run(out, images, tmp_path), ort_run(out, images)
    assert np.mean(got.argmax(1) == expected.argmax(1)) >= 0.998


@pytest.mark.parametrize("flags, words", [
    (["--target", "tensorrt"], ["weights.bits", "tensorrt", "4"]),
    (["--target", "onnxruntime", "--weights-bits", 8, "--activations-bits", 4], ["activations.bits", "onnxruntime"]),
    (["--target", "openvino", "--weights-bits", 8, "--edge-bits", 4], ["openvino", "4"]),
    (["--target", "tensorrt", "--weights-bits", 8, "--activations-quantizer", "lsq+"], ["activations.quantizer", "zero points"]),
    (["--target", "openvino", "--weights-bits", 8, "--format", "qoperator"], ["format", "openvino"]),
    (["--format", "qoperator"], ["quantize.format", "4-bit"])])
def test_refuses_what_the_target_cannot_express(refused, trainer, small_data, flags, words):
    refused(4, words, "quantize", CONVNET, "--data", small_data, "-o", "q.onnx", "--method", "qat", *flags)
