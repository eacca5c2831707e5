"""Every command on the reference models, against ONNX Runtime; they are large, so their folder is named by PARE_TEST_MODELS."""
import os
import pathlib

import numpy as np
import pytest

FOLDER = os.environ.get("PARE_TEST_MODELS")
pytestmark = pytest.mark.skipif(not FOLDER, reason="PARE_TEST_MODELS does not name the folder of the reference models")

IMAGES = ["fmnist_mlp", "fmnist_convnet", "fmnist_resnet10", "fmnist_resnet18", "efficientnet_lite0", "mobilenet_v3_small_dynamo"]
CASES = [(name, batch, None) for name in IMAGES for batch in (1, 7)]
CASES += [("fortunes_minilm", batch, length) for batch in (1, 7) for length in (5, 64, 200)]


def path_of(name):
    path = pathlib.Path(FOLDER) / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path.name} is not in PARE_TEST_MODELS")
    return path


def session_of(path):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def inputs_of(session, batch, length):
    """Random images; token ids with every row masked to a length of its own."""
    rng = np.random.default_rng(batch * 1000 + (length or 0))
    inputs = {}
    for port in session.get_inputs():
        dims = [batch] + [dim if isinstance(dim, int) else length for dim in port.shape[1:]]
        if port.type == "tensor(float)":
            inputs[port.name] = rng.standard_normal(dims).astype(np.float32)
        elif "mask" in port.name:
            inputs[port.name] = (np.arange(length)[None] < rng.integers(1, length + 1, batch)[:, None]).astype(np.int64)
        else:
            inputs[port.name] = rng.integers(0, 30000, dims)
    return inputs


def shape_flags(inputs):
    return [word for name, array in inputs.items() for word in ("--shape", f"{name}=" + "x".join(map(str, array.shape)))]


@pytest.mark.parametrize("name,batch,length", CASES)
def test_outputs_are_those_of_onnx_runtime(pare, tmp_path, name, batch, length):
    path = path_of(name)
    session = session_of(path)
    inputs = inputs_of(session, batch, length)
    np.savez(tmp_path / "in.npz", **inputs)
    pare("run", path, "--inputs", tmp_path / "in.npz", "-o", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as outputs:
        for port, expected in zip(session.get_outputs(), session.run(None, inputs)):
            assert outputs[port.name].shape == expected.shape
            assert np.abs(outputs[port.name] - expected).max() <= 1e-4 * (expected.max() - expected.min())


@pytest.mark.parametrize("name,batch,length", CASES)
def test_commands(pare, name, batch, length):
    path = path_of(name)
    shapes = shape_flags(inputs_of(session_of(path), batch, length))
    assert pare("check", path, "--json").json["valid"]
    plan = pare("inspect", path, "--plan", "--json", *shapes).json
    assert plan["macs"] > 0 and plan["plan"]["steps"]
    bench = pare("bench", path, "--seconds", 0.05, "--json", *shapes).json["results"][0]
    assert bench["batch"] == batch and bench["latency"]["median_ms"] > 0
    compared = pare("compare", path, path, "--random", batch, "--json", *shapes).json
    assert compared["samples"] == batch and compared["agreement"] == 100 and compared["snr_db"] is None
    assert compared["layers"] and all(layer["identical"] for layer in compared["layers"])
    assert not compared["uncompared"]


@pytest.mark.parametrize("name", IMAGES + ["fortunes_minilm"])
@pytest.mark.parametrize("flags,bound", [(["--opset", 23], 1e-5), (["--precision", "f16"], 5e-3), (["--precision", "bf16"], 2e-2)],
                         ids=["opset23", "f16", "bf16"])
def test_converted_models_match_in_onnx_runtime(pare, tmp_path, name, flags, bound):
    path = path_of(name)
    pare("convert", path, tmp_path / "out.onnx", *flags)
    session = session_of(path)
    inputs = inputs_of(session, 2, 64)
    for a, b in zip(session.run(None, inputs), session_of(tmp_path / "out.onnx").run(None, inputs)):
        if a.max() - a.min() > 1e-6:  # random weights of one model give logits below what 16 bits hold
            assert np.abs(a - b).max() <= bound * (a.max() - a.min())
