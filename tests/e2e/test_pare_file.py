""".pare files: both ways without a change, taken by every command, smaller than xz, and damage named."""
import lzma

import numpy as np
import pytest

from conftest import MODELS, ort_run, run_pare

ALL = [MODELS / f"fmnist_{name}.onnx" for name in ("mlp", "convnet", "resnet10")]


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The convnet as a small and as a packed .pare file."""
    folder = tmp_path_factory.mktemp("pare")
    files = folder / "small.pare", folder / "fast.pare"
    for file, flags in zip(files, ([], ["--packed"])):
        assert run_pare("convert", ALL[1], file, *flags).code == 0
    return files


@pytest.mark.parametrize("flags", [[], ["--packed"]], ids=["small", "packed"])
@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_there_and_back(pare, test_images, path, flags, tmp_path):
    import onnx
    result = pare("convert", path, tmp_path / "m.pare", *flags, "--json").json
    assert result["bytes"] == (tmp_path / "m.pare").stat().st_size and result["packed"] == bool(flags)
    pare("convert", tmp_path / "m.pare", tmp_path / "back.onnx")
    before, after = onnx.load(str(path)), onnx.load(str(tmp_path / "back.onnx"))
    assert [n.SerializeToString() for n in before.graph.node] == [n.SerializeToString() for n in after.graph.node]
    arrays = [{t.name: onnx.numpy_helper.to_array(t) for t in m.graph.initializer} for m in (before, after)]
    assert arrays[0].keys() == arrays[1].keys()
    for name, array in arrays[0].items():
        assert array.dtype == arrays[1][name].dtype and array.tobytes() == arrays[1][name].tobytes()
    images = test_images[0][:8]
    assert np.array_equal(ort_run(path, images), ort_run(tmp_path / "back.onnx", images))
    if not flags:
        assert result["bytes"] < len(lzma.compress(path.read_bytes(), preset=9))


def test_every_command_takes_them(pare, small_data, packed, tmp_path):
    layers = [pare("inspect", file, "--json").json["layers"] for file in (ALL[1], *packed)]
    assert layers[0] == layers[1] == layers[2]
    for file in packed:
        pare("check", file)
        same = pare("compare", ALL[1], file, "--data", small_data, "--json").json
        assert same["agreement"] == 100 and same["snr_db"] is None
        assert pare("eval", file, "--data", small_data, "--json").json["bytes"] == file.stat().st_size
        np.save(tmp_path / "x.npy", np.zeros((1, 1, 28, 28), np.float32))
        pare("run", file, "--input", f"image={tmp_path / 'x.npy'}", "-o", tmp_path / "y.npz", "--force")
    pare("bench", ALL[1], *packed, "--json")


def test_a_quantized_model_is_written_as_one(pare, small_data, packed, tmp_path):
    for target in ("q.pare", "q.onnx"):
        pare("quantize", packed[0], "--data", small_data, "-o", tmp_path / target)
    pare("convert", tmp_path / "q.pare", tmp_path / "back.onnx")
    left, right = [pare("eval", tmp_path / f, "--data", small_data, "--json").json["metrics"] for f in ("q.onnx", "back.onnx")]
    assert left == right
    assert (tmp_path / "q.pare").stat().st_size < (tmp_path / "q.onnx").stat().st_size


def test_packed_weights_are_for_their_instruction_set(pare, small_data, packed, tmp_path):
    pare("quantize", packed[0], "--data", small_data, "-o", tmp_path / "q.onnx")
    pare("convert", tmp_path / "q.onnx", tmp_path / "q.pare", "--packed")
    x = np.random.default_rng(1).standard_normal((2, 1, 28, 28)).astype(np.float32)
    np.savez(tmp_path / "x.npz", image=x)

    def outputs(model, **env):
        result = pare("run", model, "--inputs", tmp_path / "x.npz", "-o", tmp_path / "y.npz", "--force", env=env)
        with np.load(tmp_path / "y.npz") as y:
            return y[y.files[0]], result.err

    here, quiet = outputs(tmp_path / "q.pare")
    assert np.array_equal(here, outputs(tmp_path / "q.onnx")[0]) and "note" not in quiet
    other, note = outputs(tmp_path / "q.pare", PARE_FORCE_ISA="scalar")
    assert "pare: note:" in note and "not for scalar; its weights are packed anew" in note
    assert np.array_equal(other, outputs(tmp_path / "q.onnx", PARE_FORCE_ISA="scalar")[0])
    # Another instruction set's weights are added, and those that are there are kept.
    pare("convert", tmp_path / "q.pare", tmp_path / "both.pare", "--packed", env={"PARE_FORCE_ISA": "scalar"})
    for env in ({}, {"PARE_FORCE_ISA": "scalar"}):
        y, note = outputs(tmp_path / "both.pare", **env)
        assert "note" not in note and np.array_equal(y, here if not env else other)


@pytest.mark.parametrize("which", [0, 1], ids=["small", "packed"])
def test_damage_is_named(refused, packed, which, tmp_path):
    whole = packed[which].read_bytes()
    bad = tmp_path / "bad.pare"

    def expect(words, content):
        bad.write_bytes(content)
        refused(3, ["bad.pare", *words], "inspect", "bad.pare")

    expect(["truncated"], whole[:-1])
    expect(["truncated"], whole[:20])
    expect(["not a .pare file"], b"nonsense")
    expect(["another version", "expected 2", "got 7"], whole[:8] + b"\7" + whole[9:])
    expect(["tensor section", "checksum"], whole[:4200] + bytes([whole[4200] ^ 1]) + whole[4201:])
    expect(["graph", "checksum"], whole[:600] + bytes([whole[600] ^ 1]) + whole[601:])


def test_damaged_packed_weights_give_no_outputs(pare, refused, packed, tmp_path):
    """Data of a packed file are checked when they are read: whoever runs the model is refused, or reads other data."""
    whole = packed[1].read_bytes()
    np.save(tmp_path / "x.npy", np.zeros((1, 1, 28, 28), np.float32))
    run = ("run", "bad.pare", "--input", "x.npy", "--output", "y.npz")
    bad = tmp_path / "bad.pare"
    bad.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused(3, ["bad.pare", "packed section", "checksum"], *run)
    bad.write_bytes(whole)
    pare(*run, cwd=tmp_path)


def test_refusals(refused, packed):
    refused(2, ["only .pare files are packed"], "convert", ALL[0], "out.onnx", "--packed", "--opset", 18)
    refused(2, [".onnx or .pare"], "convert", packed[0], "out.bin")
    refused(3, ["no such file"], "convert", "absent.pare", "out.onnx")
