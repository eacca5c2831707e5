"""quantize --method qat: what training gains, the integers that are written, interruption, refusals."""
import signal

import numpy as np
import pytest

from conftest import MODELS, listing, ort_run, pare_run, run_pare
from test_compress import start_and_interrupt, weights

CONVNET = MODELS / "fmnist_convnet.onnx"
FLAGS = ("--method", "qat", "--batch-size", 32, "--threads", 2)


def qat(pare, data, out, *flags):
    return pare("quantize", CONVNET, "--data", data, "-o", out, *FLAGS, *flags, "--json").json


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


def test_interrupted_and_resumed_has_the_same_bytes(pare, trainer, small_data, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("steps:\n  - quantize: {method: qat, weights: {bits: 2}, activations: {bits: 4}, epochs: 4, freeze: 0.6}\n")
    def arguments(out):
        return ["compress", CONVNET, "--recipe", recipe, "--data", small_data, "-o", out, "--threads", 2, "--quiet"]
    pare(*arguments(tmp_path / "whole"))
    out = tmp_path / "stopped"
    code = start_and_interrupt(arguments(out), tmp_path, signal.SIGINT, (out / "checkpoints" / "training.ckpt").exists)
    assert code == 128 + signal.SIGINT and [p.name for p in out.iterdir()] == ["checkpoints"]
    pare(*arguments(out), "--resume")
    assert (out / "model.onnx").read_bytes() == (tmp_path / "whole" / "model.onnx").read_bytes()


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
])
def test_refusals(refused, trainer, small_data, flags, words):
    refused(2, words, "quantize", CONVNET, "--data", small_data, "-o", "q.onnx", "--method", "qat", *flags)
