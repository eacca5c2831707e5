"""convert: the result is valid ONNX, loads in ONNX Runtime and gives the same outputs."""
import numpy as np
import pytest

from conftest import MODELS, ort_run, pare_run

ALL = [MODELS / f"fmnist_{name}.onnx" for name in ("mlp", "convnet", "resnet10")]


def relative_error(a, b):
    return np.abs(a - b.astype(np.float32)).max() / (a.max() - a.min())


def checked(path):
    import onnx
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    return model


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
@pytest.mark.parametrize("opset", [18, 21, 23])
def test_opset(pare, test_images, path, opset, tmp_path):
    target = tmp_path / "out.onnx"
    result = pare("convert", path, target, "--opset", opset, "--json").json
    assert result["opset"] == opset and checked(target).opset_import[0].version == opset
    images = test_images[0][:16]
    assert relative_error(ort_run(path, images), ort_run(target, images)) < 1e-6


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
@pytest.mark.parametrize("flags,bound", [(["f16"], 2e-3), (["f16", "--weights-only"], 2e-3), (["bf16"], 1e-2)])
def test_precision(pare, test_images, path, flags, bound, tmp_path):
    target = tmp_path / "out.onnx"
    result = pare("convert", path, target, "--precision", *flags, "--json").json
    assert result["bytes"] < 0.6 * result["bytes_before"] and not result["too_large"]
    checked(target)
    images = test_images[0][:16]
    reference = ort_run(path, images)
    assert 0 < relative_error(reference, ort_run(target, images)) < bound
    assert relative_error(reference, pare_run(target, images, tmp_path)) < bound


def test_inputs_too(pare, tmp_path):
    from onnx import TensorProto
    pare("convert", ALL[0], tmp_path / "out.onnx", "--precision", "f16", "--convert-io")
    graph = checked(tmp_path / "out.onnx").graph
    assert graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT16
    assert graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT16


def test_bf16_arithmetic_is_valid_onnx(pare, tmp_path):
    result = pare("convert", ALL[1], tmp_path / "out.onnx", "--precision", "bf16", "--compute", "--json").json
    assert result["converted_nodes"] > 0 and checked(tmp_path / "out.onnx").opset_import[0].version == 22


def test_a_dry_run_writes_nothing(pare, tmp_path):
    assert pare("convert", ALL[0], tmp_path / "out.onnx", "--opset", 20, "--dry-run", "--json").json["written"] is None
    assert not list(tmp_path.iterdir())


def test_refusals(refused, tmp_path):
    refused(2, ["--precision", "--opset"], "convert", ALL[0], "out.onnx")
    refused(2, ["opset", "12"], "convert", ALL[0], "out.onnx", "--opset", 12)
    refused(2, ["opset", "29"], "convert", ALL[0], "out.onnx", "--opset", 29)
    refused(2, [".onnx"], "convert", ALL[0], "out.bin", "--opset", 18)
    refused(2, ["keep", "Nothing"], "convert", ALL[0], "out.onnx", "--precision", "f16", "--keep", "Nothing")
    (tmp_path / "out.onnx").write_bytes(b"mine")
    refused(2, ["out.onnx", "--force"], "convert", ALL[0], "out.onnx", "--opset", 18)
