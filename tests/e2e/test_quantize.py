"""What quantize writes for other engines: files that fuse there, and answers that are Pare's."""
import importlib.util

import numpy as np
import pytest

from conftest import MODELS, ort_run, pare_run, run_pare

CONVNET = MODELS / "fmnist_convnet.onnx"
RESNET10 = MODELS / "fmnist_resnet10.onnx"
MLP = MODELS / "fmnist_mlp.onnx"


def graph_of(path):
    import onnx
    return onnx.load(str(path)).graph


def count(graph, op_type):
    return sum(node.op_type == op_type for node in graph.node)


def zero_points(graph):
    """Zero points of activations, by type."""
    import onnx.numpy_helper
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    return [constants[node.input[2]] for node in graph.node if node.op_type == "QuantizeLinear"]


def optimized(path, folder):
    """The graph that ONNX Runtime makes of the file."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return graph_of(folder / "optimized.onnx")


def same_answers(path, images, folder, share=0.99):
    got, expected = pare_run(path, images, folder), ort_run(path, images)
    assert (got.argmax(1) == expected.argmax(1)).mean() >= share
    assert np.abs(got - expected).max() <= 0.05 * (expected.max() - expected.min())


@pytest.mark.parametrize("model", [CONVNET, RESNET10], ids=["convnet", "resnet10"])
def test_target_onnxruntime_fuses_every_convolution(pare, small_data, test_images, tmp_path, model):
    out = tmp_path / "q.onnx"
    pare("quantize", model, "--target", "onnxruntime", "--data", small_data, "-o", out, "--protect-macs", 0)
    convolutions = count(graph_of(out), "Conv")
    fused = optimized(out, tmp_path)
    assert count(fused, "QLinearConv") == convolutions and count(fused, "Conv") == 0
    assert count(fused, "Relu") == 0, "a Relu is what QuantizeLinear saturates at"
    same_answers(out, test_images[0][:200], tmp_path)


def test_target_tensorrt_keeps_its_rules(pare, small_data, test_images, tmp_path):
    out = tmp_path / "q.onnx"
    record = pare("quantize", RESNET10, "--target", "tensorrt", "--data", small_data, "-o", out, "--json").json
    assert record["after"]["test"]["top1"] >= record["before"]["test"]["top1"] - 1  # of 500 images
    graph = graph_of(out)
    assert all(zero.dtype == np.int8 and not zero.any() for zero in zero_points(graph))
    makers = {name: node for node in graph.node for name in node.output}
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    assert all(types.get(node.input[0], 3) == 3 for node in graph.node if node.op_type == "DequantizeLinear"), "int8 only"
    sums = [node for node in graph.node if node.op_type == "Add"]
    assert sums
    for node in sums:
        kinds = sorted(makers[name].op_type for name in node.input)
        assert kinds == ["Conv", "DequantizeLinear"], (node.name, kinds)
    same_answers(out, test_images[0][:200], tmp_path)


def precisions(path, images):
    """Of OpenVINO's compiled model: run-time precision of its convolutions; and the answers."""
    import openvino
    core = openvino.Core()
    model = core.read_model(str(path))
    model.reshape({model.input(0): images.shape})
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = []
    for node in compiled.get_runtime_model().get_ordered_ops():
        info = node.get_rt_info()
        if str(info["layerType"].value) == "Convolution":
            found.append(str(info["runtimePrecision"].value))
    return found, compiled(images)[0]


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
@pytest.mark.parametrize("model", [CONVNET, RESNET10], ids=["convnet", "resnet10"])
def test_target_openvino_runs_on_integers(pare, small_data, test_images, tmp_path, model):
    out = tmp_path / "q.onnx"
    pare("quantize", model, "--target", "openvino", "--data", small_data, "-o", out, "--protect-macs", 0)
    assert not any(zero.any() for zero in zero_points(graph_of(out)))
    images = test_images[0][:100]
    found, answers = precisions(out, images)
    assert found and all(precision in ("i8", "u8", "I8", "U8") for precision in found), found
    assert (answers.argmax(1) == pare_run(out, images, tmp_path).argmax(1)).mean() >= 0.98


@pytest.mark.parametrize("options,words", [
    (["--target", "tensorrt", "--activations-scheme", "affine"], ["activations.scheme", "tensorrt", "zero points"]),
    (["--target", "onnxruntime", "--weights-bits", 4], ["weights.bits", "onnxruntime"]),
    (["--target", "openvino", "--activations-bits", 16], ["activations.bits", "openvino"]),
    (["--target", "tensorrt", "--format", "qoperator"], ["format", "tensorrt", "qdq"]),
    (["--format", "qoperator", "--weights-bits", 4], ["quantize.format"]),
    (["--activations-bits", 9], ["activations.bits", "2 to 8 or 16"])])
def test_refuses_what_cannot_be_expressed(refused, small_data, options, words):
    refused(4, words, "quantize", CONVNET, "--data", small_data, "-o", "q.onnx", *options)


def test_refuses_unknown_targets(refused, small_data):
    refused(2, ["target", "tensorrt"], "quantize", CONVNET, "--data", small_data, "-o", "q.onnx", "--target", "tensort")


@pytest.mark.parametrize("model", [CONVNET, RESNET10, MLP], ids=["convnet", "resnet10", "mlp"])
def test_qoperator_is_the_qdq_file(pare, small_data, test_images, tmp_path, model):
    qdq, qoperator = tmp_path / "qdq.onnx", tmp_path / "qoperator.onnx"
    flags = ["--data", small_data, "--protect-macs", 0]
    pare("quantize", model, *flags, "-o", qdq)
    record = pare("quantize", model, *flags, "-o", qoperator, "--format", "qoperator", "--json").json
    told = record["steps"][0]["quantized"]["qoperators"]
    graph = graph_of(qoperator)
    means = count(graph, "ReduceMean")  # no QLinear operator has its axes
    assert told["converted"] > 0 and len(told["kept"]) == means, told
    assert count(graph, "DequantizeLinear") == means and count(graph, "QuantizeLinear") == 1 + means
    assert count(graph, "QLinearConv") == count(graph_of(qdq), "Conv")
    assert record["after"]["macs"] == record["before"]["macs"]
    assert record["after"]["parameters"] == record["before"]["parameters"]
    images = test_images[0][:200]
    a, b = ort_run(qdq, images), ort_run(qoperator, images)
    assert (a.argmax(1) == b.argmax(1)).all()
    # One unit of the last quantized value moves an output by its scale times a weight: far below a hundredth of the range.
    assert np.abs(a - b).max() <= 0.01 * (a.max() - a.min())
    assert np.abs(pare_run(qoperator, images, tmp_path) - pare_run(qdq, images, tmp_path)).max() <= 1e-5 * (a.max() - a.min())


def test_max_drop_reverts_layers(pare, small_data, tmp_path):
    flags = ["--data", small_data, "--weights-bits", 2, "--weights-rounding", "nearest", "--protect-macs", 0]
    worst = pare("quantize", CONVNET, *flags, "-o", tmp_path / "a.onnx", "--json").json
    drop = worst["before"]["val"]["top1"] - worst["after"]["val"]["top1"]
    assert drop > 2
    record = pare("quantize", CONVNET, *flags, "-o", tmp_path / "b.onnx", "--max-drop", drop / 2, "--json").json
    accuracy = record["steps"][0]["accuracy"]
    assert accuracy["met"] and record["gate"]["passed"] and accuracy["reverted"]
    assert abs(accuracy["drop"] - record["gate"]["drop"]) < 1e-6
    text = pare("quantize", CONVNET, *flags, "-o", tmp_path / "c.onnx", "--max-drop", drop / 2, "--report", tmp_path / "r").out
    assert "back to float" in text and accuracy["reverted"][0]["node"] in text
    assert "Back to float" in (tmp_path / "r" / "report.html").read_text()


def test_max_drop_that_cannot_be_kept(small_data, tmp_path):
    result = run_pare("quantize", CONVNET, "--data", small_data, "-o", tmp_path / "q.onnx", "--weights-bits", 2,
                      "--weights-rounding", "nearest", "--include", "first", "--max-drop", 0)
    assert result.code in (0, 8)  # two bits in one layer may by chance lose nothing
    assert (tmp_path / "q.onnx").exists()
    if result.code == 8:
        assert "points" in result.error and "best" in result.error


def test_calibration_check(pare, small_data, tmp_path):
    out = pare("quantize", CONVNET, "--data", small_data, "-o", tmp_path / "q.onnx", "--calibration-check",
               "--activations-samples", 128, "--report", tmp_path / "r")
    assert "calibrated on 5 parts of 64 samples" in out.out
    import json
    check = json.loads((tmp_path / "r" / "run.json").read_text())["steps"][0]["calibration_check"]
    assert check["subsets"] == 5 and len(check["snr_db"]["all"]) == 5 and check["values"]
    assert "Calibration on parts of the samples" in (tmp_path / "r" / "report.html").read_text()


@pytest.mark.parametrize("scheme", ["affine", "symmetric"])
def test_16_bit_activations(pare, small_data, test_images, tmp_path, scheme):
    out = tmp_path / "q.onnx"
    record = pare("quantize", RESNET10, "--data", small_data, "-o", out, "--activations-bits", 16, "--activations-scheme", scheme,
                  "--json").json
    assert record["after"]["test"]["top1"] >= record["before"]["test"]["top1"] - 0.4  # of 500 images
    assert {zero.dtype.name for zero in zero_points(graph_of(out))} == {"uint16" if scheme == "affine" else "int16"}
    images = test_images[0][:100]
    got, expected = pare_run(out, images, tmp_path), ort_run(out, images)
    assert np.abs(got - expected).max() <= 1e-3 * (expected.max() - expected.min())


def test_power_of_two_scales(pare, small_data, test_images, tmp_path):
    import onnx.numpy_helper
    out = tmp_path / "q.onnx"
    record = pare("quantize", RESNET10, "--data", small_data, "-o", out, "--activations-scales", "power-of-two",
                  "--weights-scales", "power-of-two", "--json").json
    assert record["after"]["test"]["top1"] >= record["before"]["test"]["top1"] - 1  # of 500 images
    graph = graph_of(out)
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    scales = [constants[node.input[1]] for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert scales and all((np.frexp(scale)[0] == 0.5).all() for scale in scales)
    same_answers(out, test_images[0][:200], tmp_path)


def test_dynamic_with_power_of_two_scales(pare, small_data, test_images, tmp_path):
    import onnx.numpy_helper
    out = tmp_path / "q.onnx"
    record = pare("quantize", CONVNET, "--data", small_data, "-o", out, "--method", "dynamic", "--weights-scales", "power-of-two", "--json").json
    assert record["after"]["test"]["top1"] >= record["before"]["test"]["top1"] - 1  # of 500 images
    scales = [onnx.numpy_helper.to_array(tensor) for tensor in graph_of(out).initializer if tensor.name.endswith("weight_scale")]
    assert len(scales) == 3 and all((np.frexp(scale)[0] == 0.5).all() for scale in scales)
    same_answers(out, test_images[0][:200], tmp_path)


def edited(source, path, edit):
    """A copy of a model after edit(constants by name, graph), which may put other arrays there."""
    import onnx
    import onnx.numpy_helper
    model = onnx.load(str(source))
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor).copy() for tensor in model.graph.initializer}
    edit(constants, model.graph)
    del model.graph.initializer[:]
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in constants.items())
    onnx.save(model, str(path))
    return path


def skew(constants, graph):
    """The same answers, with channels of the first convolution a thousandfold apart and ReLU6-like bounds that never bind."""
    import onnx.helper
    s = np.logspace(-1.5, 1.5, constants["conv1.bias"].size).astype(np.float32)
    constants["conv1.weight"] *= s[:, None, None, None]
    constants["conv1.bias"] *= s
    constants["conv2.weight"] /= s[None, :, None, None]
    constants.update(low=np.float32(0), high=np.float32(1e4))
    for node in graph.node:
        if node.op_type == "Relu":
            node.CopyFrom(onnx.helper.make_node("Clip", [node.input[0], "low", "high"], list(node.output), name=node.name))


def test_equalization_evens_out_channels_past_relu6(pare, small_data, test_images, tmp_path):
    model = edited(CONVNET, tmp_path / "skewed.onnx", skew)
    flags = ["--data", small_data, "--weights-granularity", "tensor", "--protect-macs", 0, "--activations-samples", 64, "--json"]
    plain = pare("quantize", model, *flags, "-o", tmp_path / "a.onnx").json
    even = pare("quantize", model, *flags, "-o", tmp_path / "b.onnx", "--equalize").json
    assert even["after"]["test"]["snr_db"] > plain["after"]["test"]["snr_db"] + 6
    choice = even["steps"][0]["quantized"]["choice"]
    assert choice["equalized"] == ["/conv1/Conv → /conv2/Conv"]
    assert choice["relu6"]["opened"] == ["/Relu"] and choice["relu6"]["snr_db"] >= 40 and choice["parts"]["equalize"] > 0
    graph = graph_of(tmp_path / "b.onnx")
    assert count(graph, "Clip") == 1, "behind the second convolution the bound is not in the way of anything"
    same_answers(tmp_path / "b.onnx", test_images[0][:200], tmp_path)


def lift(constants, graph):
    """The same answers, with four channels of the first layer far above 0, which the second layer's bias takes back."""
    high = np.zeros_like(constants["fc1.bias"])
    high[:4] = 200
    constants["fc1.bias"] += high
    constants["fc2.bias"] -= constants["fc2.weight"] @ high


def test_absorption_takes_what_is_always_there(pare, small_data, test_images, tmp_path):
    model = edited(MLP, tmp_path / "high.onnx", lift)
    flags = ["--data", small_data, "--equalize", "--protect-macs", 0, "--activations-samples", 64, "--json"]
    left = pare("quantize", model, *flags, "-o", tmp_path / "a.onnx", "--no-absorb-bias").json
    absorbed = pare("quantize", model, *flags, "-o", tmp_path / "b.onnx").json
    assert absorbed["after"]["test"]["snr_db"] > left["after"]["test"]["snr_db"] + 6
    choice = absorbed["steps"][0]["quantized"]["choice"]
    assert "absorbed" not in left["steps"][0]["quantized"]["choice"] and choice["absorbed"]["largest"]["/fc1/Gemm → /fc2/Gemm"] > 0
    same_answers(tmp_path / "b.onnx", test_images[0][:200], tmp_path)


def test_the_report_tells_what_was_chosen(pare, small_data, tmp_path):
    import json
    pare("quantize", RESNET10, "--data", small_data, "-o", tmp_path / "q.onnx", "--report", tmp_path / "r", "--protect-snr", 60,
         "--activations-samples", 64)
    step = json.loads((tmp_path / "r" / "run.json").read_text())["steps"][0]
    choice = step["quantized"]["choice"]
    assert choice["outputs"] == ["logits"] and step["calibration_seconds"] > 0
    assert set(choice["parts"]) == {"calibrator", "bias_correction", "protect"} and choice["seconds"] >= max(choice["parts"].values())
    page = (tmp_path / "r" / "report.html").read_text()
    for words in ("What quantization chose", f">{choice['calibrator']}<", "min-max", "Bias correction", "Repairs", "of the MACs"):
        assert words in page, words
    repaired = choice["protected"]["nodes"] + choice["protected"]["gptq"]
    assert repaired and all(node in page for node in repaired)


@pytest.mark.parametrize("flags", [["--vector", 4, "--entries", 256], ["--vector", 4, "--granularity", "group", "--channels", 16],
                                   ["--vector", 2, "--entries", 16, "--granularity", "position"],
                                   ["--entries", 8, "--weighting", "inputs"]], ids=["vector", "group", "product", "weighted"])
def test_codebooks_of_vectors(pare, small_data, test_images, tmp_path, flags):
    out = tmp_path / "q.onnx"
    flags = [*flags, "--exclude", "first"] if "--vector" in flags else flags
    record = pare("quantize", RESNET10, "--method", "codebook", "--data", small_data, "-o", out, *flags, "--json").json
    told = record["steps"][0]["codebook"]["layers"]
    weights = {layer["node"]: np.prod(layer["dims"]) for layer in pare("inspect", RESNET10, "--json").json["layers"]}
    for layer in told:  # the indices, and the codebooks' share: of a small layer they take more than the weights did
        index = 4 if layer["entries"] <= 16 else 8
        codebooks = 32 * layer["codebooks"] * layer["entries"] * layer["vector"]
        assert layer["bits"] == pytest.approx(index / layer["vector"] + codebooks / weights[layer["node"]])
    assert record["after"]["parameters"] == record["before"]["parameters"]
    images = test_images[0][:100]
    got, expected = pare_run(out, images, tmp_path), ort_run(out, images)
    assert np.abs(got - expected).max() <= 1e-4 * (expected.max() - expected.min())
    rows = pare("inspect", out, "--json").json["layers"]
    assert any(layer["pattern"] and layer["pattern"].startswith("codebook") for layer in rows)


def test_vectors_that_do_not_divide(refused, small_data):
    refused(4, ["multiple of 5"], "quantize", CONVNET, "--method", "codebook", "--vector", 5, "--data", small_data, "-o", "q.onnx")


def test_brecq_counts_errors_by_fisher_information(pare, trainer, small_data, tmp_path):
    flags = ["--data", small_data, "--method", "weight_only", "--weights-bits", 3, "--weights-group-size", 0, "--weights-rounding", "brecq",
             "--weights-iterations", 60, "--weights-samples", 128]
    record = pare("quantize", CONVNET, *flags, "-o", tmp_path / "f.onnx", "--json").json
    blocks = record["steps"][0]["blocks"]
    assert blocks and all(block["error"] == "fisher" for block in blocks)
    assert all(block["after"] <= block["before"] for block in blocks)
    plain = pare("quantize", CONVNET, *flags, "--no-weights-fisher", "-o", tmp_path / "p.onnx", "--json").json
    assert all(block["error"] == "squared" for block in plain["steps"][0]["blocks"])
    assert (tmp_path / "f.onnx").read_bytes() != (tmp_path / "p.onnx").read_bytes()


def test_ranges_fitted_to_what_layers_answer(pare, small_data, test_images, tmp_path):
    flags = ["--data", small_data, "--weights-bits", 4, "--protect-macs", 0, "--activations-calibrator", "min-max"]
    record = pare("quantize", CONVNET, *flags, "--activations-fit", "-o", tmp_path / "f.onnx", "--json").json
    fitted = record["steps"][0]["quantized"]["choice"]["fitted"]
    assert fitted["values"] > 0
    pare("quantize", CONVNET, *flags, "-o", tmp_path / "p.onnx")
    same = (tmp_path / "f.onnx").stat().st_size == (tmp_path / "p.onnx").stat().st_size
    assert same or fitted["with_db"] > fitted["without_db"]
    images = test_images[0][:300]
    got, expected = pare_run(tmp_path / "f.onnx", images, tmp_path), ort_run(tmp_path / "f.onnx", images)
    assert np.mean(got.argmax(1) == expected.argmax(1)) >= 0.99


def test_edge_layers_take_their_own_bits(pare, small_data, tmp_path):
    record = pare("quantize", CONVNET, "--data", small_data, "--method", "weight_only", "--weights-rounding", "nearest", "--edge-bits", 8,
                  "-o", tmp_path / "q.onnx", "--json").json
    assert [layer["after"]["bits"] for layer in record["layers"]] == [8, 4, 8]


def test_edge_bits_out_of_range(refused, small_data):
    refused(2, ["edge_bits", "1"], "quantize", CONVNET, "--data", small_data, "--method", "weight_only", "--edge-bits", 1, "-o", "q.onnx")
