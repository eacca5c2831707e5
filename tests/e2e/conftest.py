"""What the end-to-end tests share: the command line as a user runs it, and the folder it leaves."""
import gzip
import json
import os
import pathlib
import subprocess

import numpy as np
import pytest

PARE = os.environ["PARE"]
SOURCE = pathlib.Path(os.environ["PARE_SOURCE_DIR"])
MODELS = SOURCE / "examples" / "models"
FMNIST = pathlib.Path("/usr/share/datasets/fashion-mnist")


class Result:
    def __init__(self, completed):
        self.code, self.out, self.err = completed.returncode, completed.stdout, completed.stderr

    @property
    def json(self):
        """The whole of standard output as one JSON object."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value

    @property
    def error(self):
        """The one error line."""
        lines = [line for line in self.err.splitlines() if line.startswith("pare: error: ")]
        assert len(lines) == 1, self.err
        return lines[0]


def run_pare(*arguments, cwd=None, env=None, prefix=(), timeout=300):
    command = [*prefix, PARE, *[str(a) for a in arguments]]
    completed = subprocess.run(command, cwd=cwd, env={**os.environ, **(env or {})}, timeout=timeout,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return Result(completed)


@pytest.fixture
def pare():
    """Runs the command and expects it to succeed."""
    def run(*arguments, **options):
        result = run_pare(*arguments, **options)
        assert result.code == 0, result.err
        return result
    return run


def listing(folder):
    """Every path below a folder with its content."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(pathlib.Path(folder).rglob("*"))}


@pytest.fixture
def refused(tmp_path):
    """Runs the command in tmp_path and expects an exit code, one error line that holds every word, and nothing changed."""
    def run(code, words, *arguments, **options):
        before = listing(tmp_path)
        result = run_pare(*arguments, cwd=tmp_path, **options)
        assert result.code == code, (result.code, result.err)
        for word in words:
            assert word in result.error, (word, result.error)
        assert listing(tmp_path) == before
        return result
    return run


def idx(path):
    with gzip.open(path) as stream:
        data = stream.read()
    rank = data[3]
    dims = np.frombuffer(data, ">i4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(dims)


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    pathlib.Path(path).write_bytes(header + np.ascontiguousarray(array, np.uint8).tobytes())


@pytest.fixture(scope="session")
def test_images():
    """Fashion-MNIST's test images as the models want them, and their labels."""
    images = idx(FMNIST / "t10k-images-idx3-ubyte.gz").astype(np.float32)
    return ((images / 255 - 0.2860) / 0.3530).astype(np.float32)[:, None], idx(FMNIST / "t10k-labels-idx1-ubyte.gz").astype(np.int64)


@pytest.fixture(scope="session")
def fmnist():
    return SOURCE / "examples" / "data" / "fmnist.yaml"


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """A data description of 4000 training and 500 test images."""
    folder = tmp_path_factory.mktemp("small")
    for split, stem, count in (("train", "train", 4000), ("test", "t10k", 500)):
        write_idx(folder / f"{split}-images", idx(FMNIST / f"{stem}-images-idx3-ubyte.gz")[:count])
        write_idx(folder / f"{split}-labels", idx(FMNIST / f"{stem}-labels-idx1-ubyte.gz")[:count])
    path = folder / "small.yaml"
    path.write_text("train: {format: idx, images: train-images, labels: train-labels}\n"
                    "test: {format: idx, images: test-images, labels: test-labels}\n"
                    "preprocess: {scale: 255, mean: [0.2860], std: [0.3530]}\n")
    return path


def ort_run(path, images):
    """The first output of a model in ONNX Runtime. Without VNNI its fused int8 kernels saturate sums of products in 16 bits, so
    there it runs the graph as written, which is what the model means."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    if "vnni" not in pathlib.Path("/proc/cpuinfo").read_text():
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: images[i:i + 500]})[0] for i in range(0, len(images), 500)])


def pare_run(model, images, folder, *flags):
    """The first output of a model in Pare's runtime."""
    import onnx
    name = onnx.load(str(model)).graph.input[0].name
    np.savez(folder / "in.npz", **{name: images})
    result = run_pare("run", model, "--inputs", folder / "in.npz", "-o", folder / "out.npz", "--force", *flags)
    assert result.code == 0, result.err
    with np.load(folder / "out.npz") as outputs:
        return outputs[outputs.files[0]]


def has_trainer():
    return run_pare("doctor", "--json").json["train_plugin"]["found"]


@pytest.fixture(scope="session")
def trainer():
    if not has_trainer():
        pytest.skip("no training plug-in in this build")
