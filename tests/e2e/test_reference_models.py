"""Every command on the reference models, against ONNX Runtime; they are large, so their folder is named by PARE_TEST_MODELS."""
import os
import pathlib

import numpy as np
import pytest

from conftest import run_pare

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


@pytest.fixture(scope="module")
def quantized(tmp_path_factory):
    """Quantized once a model with no option set, on samples without labels: (the file, the record of the run)."""
    made = {}

    def make(name):
        if name not in made:
            path, folder = path_of(name), tmp_path_factory.mktemp(name)
            np.savez(folder / "train.npz", **inputs_of(session_of(path), 48, 64))
            (folder / "d.yaml").write_text("train: {format: npz, file: train.npz}\n")
            result = run_pare("quantize", path, "--data", folder / "d.yaml", "-o", folder / "q.onnx", "--json", timeout=900)
            assert result.code == 0, result.err
            made[name] = folder / "q.onnx", result.json
        return made[name]
    return make


def snr_db(signal, other):
    return 10 * np.log10(np.square(signal, dtype=np.float64).sum() / max(np.square(signal - other, dtype=np.float64).sum(), 1e-30))


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("name", IMAGES + ["fortunes_minilm"])
def test_quantized_models_match_in_onnx_runtime(pare, quantized, tmp_path, name, batch):
    """Integer kernels against ONNX Runtime on the same file, and both against the float model."""
    path, record = quantized(name)
    assert record["after"]["file_bytes"] < record["before"]["file_bytes"]
    session = session_of(path)
    inputs = inputs_of(session, batch, 64)
    np.savez(tmp_path / "in.npz", **inputs)
    pare("run", path, "--inputs", tmp_path / "in.npz", "-o", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as outputs:
        for port, expected, exact in zip(session.get_outputs(), session.run(None, inputs), session_of(path_of(name)).run(None, inputs)):
            assert outputs[port.name].shape == expected.shape
            assert snr_db(expected, outputs[port.name]) > 25  # a unit in the last place here and there
            assert snr_db(exact, outputs[port.name]) > 10
