"""compare: against figures computed with numpy from ONNX Runtime's activations, and what it refuses."""
import numpy as np
import pytest

from conftest import MODELS

CONVNET = MODELS / "fmnist_convnet.onnx"
MLP = MODELS / "fmnist_mlp.onnx"


def perturbed(path, folder, seed=0):
    """The model with noise on its weights."""
    import onnx
    from onnx import numpy_helper
    model = onnx.load(str(path))
    rng = np.random.default_rng(seed)
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.ndim > 1:
            noisy = array + 0.05 * array.std() * rng.standard_normal(array.shape).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(noisy.astype(np.float32), tensor.name))
    target = folder / "perturbed.onnx"
    onnx.save(model, str(target))
    return target


def activations(path, values, images):
    import onnx
    import onnxruntime
    model = onnx.load(str(path))
    have = {o.name for o in model.graph.output}
    for value in values:
        if value not in have:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(value))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(values, {session.get_inputs()[0].name: images})


@pytest.mark.parametrize("path", [CONVNET, MLP], ids=lambda p: p.stem)
def test_figures_are_those_of_onnx_runtime(pare, small_data, test_images, path, tmp_path):
    other = perturbed(path, tmp_path)
    result = pare("compare", path, other, "--data", small_data, "--limit", 60, "--json").json
    images = test_images[0][:60]
    values = [layer["value"] for layer in result["layers"]]
    assert len(values) >= 3 and not result["uncompared"] and result["samples"] == 60
    for layer, a, b in zip(result["layers"], activations(path, values, images), activations(other, values, images)):
        a, b = a.astype(np.float64), b.astype(np.float64)
        assert layer["matched_by"] == "name"
        assert layer["elements"] == a.size
        assert layer["snr_db"] == pytest.approx(10 * np.log10((a**2).sum() / ((a - b)**2).sum()), abs=0.01)
        assert layer["max_error"] == pytest.approx(np.abs(a - b).max(), rel=1e-2)
        assert layer["mean_error"] == pytest.approx(np.abs(a - b).mean(), rel=1e-3)
        assert layer["cosine"] == pytest.approx((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()), abs=1e-5)
        assert layer["range_a"] == pytest.approx([a.min(), a.max()], rel=1e-3, abs=1e-4)
    logits_a, logits_b = (activations(p, [values[-1]], images)[0] for p in (path, other))
    assert result["agreement"] == pytest.approx(100 * (logits_a.argmax(1) == logits_b.argmax(1)).mean())
    assert result["snr_db"] == result["layers"][-1]["snr_db"]


def test_a_model_is_identical_to_itself(pare):
    result = pare("compare", CONVNET, CONVNET, "--json").json
    assert result["random"] and result["agreement"] == 100 and result["snr_db"] is None and result["damage"] is None
    assert all(layer["identical"] and layer["snr_db"] is None for layer in result["layers"])


def test_sort_puts_the_worst_first(pare, small_data, tmp_path):
    other = perturbed(MLP, tmp_path)
    result = pare("compare", MLP, other, "--data", small_data, "--limit", 20, "--sort", "--json").json
    snr = [layer["snr_db"] for layer in result["layers"]]
    assert snr == sorted(snr) and snr[0] < snr[-1]
    text = pare("compare", MLP, other, "--data", small_data, "--limit", 20, "--sort", "--quiet").out
    assert text.splitlines()[1].split()[0] == result["layers"][0]["layer"]
    assert "most damage at" in text


def relu(path, input_name, shape, output_name="y", outputs=1):
    import onnx
    from onnx import TensorProto, helper
    infos = [helper.make_tensor_value_info(f"{output_name}{i or ''}", TensorProto.FLOAT, shape) for i in range(outputs)]
    nodes = [helper.make_node("Relu", [input_name], [info.name]) for info in infos]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, shape)], infos)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def test_models_with_other_ports_are_refused(pare, refused, tmp_path):
    relu(tmp_path / "a.onnx", "x", ["N", 4])
    relu(tmp_path / "renamed.onnx", "z", ["N", 4], "w")
    relu(tmp_path / "wider.onnx", "x", ["N", 5])
    relu(tmp_path / "two.onnx", "x", ["N", 4], outputs=2)
    assert pare("compare", tmp_path / "a.onnx", tmp_path / "renamed.onnx", "--json").json["outputs"][0]["identical"]
    refused(3, ["x", "4", "5"], "compare", "a.onnx", "wider.onnx")
    refused(3, ["outputs", "y1"], "compare", "a.onnx", "two.onnx")


def test_bad_flags(refused):
    refused(2, ["--sort"], "compare", MLP, MLP, "--sort", "size")
    refused(2, ["--split"], "compare", MLP, MLP, "--split", "test")
    refused(2, ["--injection"], "compare", MLP, MLP, "--injection", "-1")
    refused(3, ["absent.onnx"], "compare", MLP, "absent.onnx")


def test_injected_errors_are_those_of_one_layer_alone(pare, small_data, test_images, tmp_path):
    """The first layer's weights of B in A, nothing else: what ONNX Runtime makes of that is the injected error."""
    import onnx
    other = perturbed(MLP, tmp_path)
    result = pare("compare", MLP, other, "--data", small_data, "--limit", 40, "--injection", 24, "--json").json
    assert result["injection_samples"] == 24
    images = test_images[0][:24]
    output = onnx.load(str(MLP)).graph.output[0].name
    exact = activations(MLP, [output], images)[0].astype(np.float64)
    for layer in result["layers"]:
        a, b = onnx.load(str(MLP)), onnx.load(str(other))
        node = next(n for n in a.graph.node if n.name == layer["layer"])
        for mine in a.graph.initializer:
            if mine.name in node.input:
                mine.CopyFrom(next(t for t in b.graph.initializer if t.name == mine.name))
        onnx.save(a, str(tmp_path / "one.onnx"))
        y = activations(tmp_path / "one.onnx", [output], images)[0].astype(np.float64)
        injected = layer["injected"]
        assert injected["snr_db"] == pytest.approx(10 * np.log10((exact**2).sum() / ((exact - y)**2).sum()), abs=0.01)
        assert injected["agreement"] == pytest.approx(100 * (exact.argmax(1) == y.argmax(1)).mean())
    worst = min(result["layers"], key=lambda layer: layer["injected"]["snr_db"])
    assert result["most_sensitive"]["layer"] == worst["layer"]
    assert all(layer["injected"] is None for layer in
               pare("compare", MLP, other, "--data", small_data, "--limit", 8, "--injection", 0, "--json").json["layers"])


def test_histograms_hold_every_value(pare, small_data, test_images, tmp_path):
    other = perturbed(CONVNET, tmp_path)
    result = pare("compare", CONVNET, other, "--data", small_data, "--limit", 20, "--injection", 0, "--json").json
    layer = result["layers"][0]
    histogram = layer["histogram"]
    for path, key in ((CONVNET, "a"), (other, "b")):
        values = activations(path, [layer["value"]], test_images[0][:20])[0].ravel()
        assert sum(histogram[key]) == values.size
        exact = np.histogram(values, len(histogram[key]), (histogram["low"], histogram["high"]))[0]
        assert np.abs(np.cumsum(exact) - np.cumsum(histogram[key])).max() <= 0.02 * values.size


def test_svg_is_written_whole_and_never_over_a_file(pare, refused, small_data, tmp_path):
    import xml.etree.ElementTree
    other = perturbed(MLP, tmp_path)
    flags = ("compare", MLP, other, "--data", small_data, "--limit", 8, "--svg", tmp_path / "layers.svg")
    result = pare(*flags, "--json").json
    root = xml.etree.ElementTree.parse(tmp_path / "layers.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = "".join(root.itertext())
    assert all(layer["layer"] in words for layer in result["layers"])
    refused(2, ["layers.svg", "--force"], *flags)
    pare(*flags, "--force")
    refused(5, ["nowhere"], *flags[:-1], tmp_path / "nowhere" / "x.svg")
