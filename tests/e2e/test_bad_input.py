"""Every bad input: one line naming the thing, the documented exit code, and nothing changed on disk."""
import subprocess

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from conftest import FMNIST, MODELS, PARE, idx, listing, run_pare, write_idx

CONVNET = MODELS / "fmnist_convnet.onnx"
MLP = MODELS / "fmnist_mlp.onnx"


def edited(path, edit):
    """A copy of the ConvNet after edit(model)."""
    model = onnx.load(str(CONVNET))
    edit(model)
    onnx.save(model, str(path))
    return path


# Models ------------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("command", ["inspect", "check", "bench"])
def test_missing_file(refused, command):
    refused(3, ["absent.onnx"], command, "absent.onnx")


def test_folder_instead_of_a_file(refused, tmp_path):
    (tmp_path / "folder").mkdir()
    assert run_pare("inspect", tmp_path / "folder").code in (3, 5)
    refused(run_pare("inspect", tmp_path / "folder").code, ["folder"], "inspect", "folder")


@pytest.mark.parametrize("content", [b"", b"hello, this is text", bytes(range(256)) * 8, b"\x89PNG\r\n\x1a\n" + b"x" * 100],
                         ids=["empty", "text", "bytes", "png"])
def test_not_onnx(refused, tmp_path, content):
    (tmp_path / "bad.onnx").write_bytes(content)
    refused(3, ["bad.onnx"], "inspect", "bad.onnx")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated(refused, tmp_path, share):
    data = CONVNET.read_bytes()
    (tmp_path / "cut.onnx").write_bytes(data[:int(share * len(data))])
    refused(3, ["cut.onnx"], "inspect", "cut.onnx")


def external(tmp_path, location="weights.bin"):
    model = onnx.load(str(CONVNET))
    onnx.save_model(model, str(tmp_path / "m.onnx"), save_as_external_data=True, location="weights.bin", size_threshold=0)
    if location != "weights.bin":
        model = onnx.load(str(tmp_path / "m.onnx"), load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = location
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    return tmp_path / "m.onnx"


def test_external_data_works(pare, tmp_path):
    inside, outside = pare("inspect", CONVNET, "--json").json, pare("inspect", external(tmp_path), "--json").json
    assert outside["parameters"] == inside["parameters"] and outside["bytes"] > (tmp_path / "m.onnx").stat().st_size


def test_external_data_missing(refused, tmp_path):
    external(tmp_path)
    (tmp_path / "weights.bin").unlink()
    refused(3, ["m.onnx", "weights.bin"], "inspect", "m.onnx")


def test_external_data_too_short(refused, tmp_path):
    external(tmp_path)
    data = (tmp_path / "weights.bin").read_bytes()
    (tmp_path / "weights.bin").write_bytes(data[:len(data) // 2])
    refused(3, ["m.onnx"], "inspect", "m.onnx")


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd"])
def test_external_data_outside_the_folder(refused, tmp_path, location):
    external(tmp_path, location)
    refused(3, ["m.onnx", location], "inspect", "m.onnx")


def poison(value):
    def edit(model):
        for tensor in model.graph.initializer:
            array = numpy_helper.to_array(tensor).copy()
            if array.ndim == 4:
                array.flat[:3] = value
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
                edit.name = tensor.name
                return
    return edit


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=["nan", "inf"])
def test_weights_that_are_not_finite(refused, fmnist, tmp_path, value):
    edit = poison(value)
    edited(tmp_path / "nan.onnx", edit)
    count = "3 NaN" if np.isnan(value) else "3 infinite"
    refused(3, ["nan.onnx", edit.name, count], "check", "nan.onnx")
    refused(3, ["nan.onnx", edit.name, count], "eval", "nan.onnx", "--data", fmnist, "--limit", 10)
    for command in ("quantize", "finetune"):
        refused(3, ["nan.onnx", edit.name, count], command, "nan.onnx", "--data", fmnist, "-o", "q.onnx")
    found = run_pare("check", tmp_path / "nan.onnx", "--json")
    assert found.json["valid"] is False and found.json["non_finite"][0]["tensor"] == edit.name


def test_unsupported_operators_are_all_named(refused, fmnist, tmp_path):
    def edit(model):
        output = model.graph.output[0].name
        model.graph.node[-1].output[0] = "before"
        model.graph.node.append(helper.make_node("Frobnicate", ["before"], ["between"], name="odd1", domain="com.example"))
        model.graph.node.append(helper.make_node("Twiddle", ["between"], [output], name="odd2", domain="com.example"))
        model.opset_import.append(helper.make_opsetid("com.example", 1))
    edited(tmp_path / "odd.onnx", edit)
    for arguments in (("check", "odd.onnx"), ("eval", "odd.onnx", "--data", fmnist), ("bench", "odd.onnx"),
                      ("prune", "odd.onnx", "-o", "p.onnx")):
        refused(4, ["Frobnicate", "Twiddle"], *arguments)
    report = run_pare("check", tmp_path / "odd.onnx", "--json").json
    refusals = {r["op_type"]: r for r in report["runtime"]["refusals"]}
    assert set(refusals) == {"Frobnicate", "Twiddle"}
    assert refusals["Frobnicate"]["opset"] == 1 and refusals["Frobnicate"]["inputs"][0].startswith("float32 [")
    assert refusals["Frobnicate"]["inputs"][0] in run_pare("check", tmp_path / "odd.onnx").out
    assert report["possible"] == ["inspect"]
    assert run_pare("inspect", tmp_path / "odd.onnx").code == 0


def test_contradictory_shape(refused, tmp_path):
    def edit(model):
        for tensor in model.graph.initializer:
            array = numpy_helper.to_array(tensor)
            if array.ndim == 2:
                tensor.CopyFrom(numpy_helper.from_array(array[:, :-1].copy(), tensor.name))
                return
    edited(tmp_path / "bad.onnx", edit)
    refused(3, ["bad.onnx"], "inspect", "bad.onnx")


def recursive(path, calls):
    """x → first function → y; calls: the one function that each function's body calls."""
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    functions = [helper.make_function("mine", name, ["a"], ["c"], [
        helper.make_node("Relu", ["a"], ["b"]), helper.make_node(called, ["b"], ["c"], domain="mine")], imports)
        for name, called in calls.items()]
    port = lambda name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2])
    graph = helper.make_graph([helper.make_node(next(iter(calls)), ["x"], ["y"], domain="mine")], "g", [port("x")], [port("y")])
    onnx.save(helper.make_model(graph, opset_imports=imports, functions=functions), str(path))


@pytest.mark.parametrize("calls,named", [({"Self": "Self"}, "mine.Self → mine.Self"),
                                         ({"A": "B", "B": "A"}, "mine.A → mine.B → mine.A"),
                                         ({"A": "B", "B": "C", "C": "B"}, "mine.B → mine.C → mine.B")],
                         ids=["itself", "pair", "inner"])
def test_recursive_functions(refused, tmp_path, calls, named):
    recursive(tmp_path / "loop.onnx", calls)
    np.save(tmp_path / "x.npy", np.zeros(2, np.float32))
    for arguments in (["check", "loop.onnx"], ["inspect", "loop.onnx"], ["bench", "loop.onnx"], ["convert", "loop.onnx", "o.pare"],
                      ["run", "loop.onnx", "--input", "x=x.npy", "-o", "y.npz"], ["prune", "loop.onnx", "-o", "p.onnx"]):
        refused(3, ["loop.onnx", "calls itself", named], *arguments)


def test_cyclic_graph(refused, tmp_path):
    def edit(model):
        node = next(n for n in model.graph.node if n.op_type == "Relu")
        node.op_type = "Add"
        node.input.append(model.graph.node[-1].output[0])
    edited(tmp_path / "ring.onnx", edit)
    for command in ("check", "inspect", "bench"):
        refused(3, ["ring.onnx", "cycle"], command, "ring.onnx")


# Data --------------------------------------------------------------------------------------------------------------------------

def data_yaml(tmp_path, images, labels, extra=""):
    write_idx(tmp_path / "images", images)
    write_idx(tmp_path / "labels", labels)
    (tmp_path / "d.yaml").write_text("test: {format: idx, images: images, labels: labels}\n"
                                     "preprocess: {scale: 255, mean: [0.2860], std: [0.3530]}\n" + extra)


def test_images(count=64):
    return idx(FMNIST / "t10k-images-idx3-ubyte.gz")[:count], idx(FMNIST / "t10k-labels-idx1-ubyte.gz")[:count]


test_images.__test__ = False


def test_wrong_image_size(refused, tmp_path):
    images, labels = test_images()
    data_yaml(tmp_path, images[:, :20, :24], labels)
    refused(3, ["28", "20"], "eval", CONVNET, "--data", "d.yaml")


def test_labels_out_of_range(refused, tmp_path):
    images, labels = test_images()
    labels = labels.copy()
    labels[5] = 42
    data_yaml(tmp_path, images, labels)
    refused(3, ["42"], "eval", CONVNET, "--data", "d.yaml")


def test_training_labels_out_of_range(refused, trainer, tmp_path):
    images, labels = test_images()
    labels = labels.copy()
    labels[5] = 42
    data_yaml(tmp_path, images, labels, "train: {format: idx, images: images, labels: labels}\n")
    refused(3, ["image 5", "42", "0 to 9"], "finetune", CONVNET, "--data", "d.yaml", "-o", "f.onnx", "--epochs", 1)


def test_fewer_labels_than_images(refused, tmp_path):
    images, labels = test_images()
    data_yaml(tmp_path, images, labels[:-1])
    refused(3, ["64", "63"], "eval", CONVNET, "--data", "d.yaml")


def test_truncated_images(refused, tmp_path):
    data_yaml(tmp_path, *test_images())
    data = (tmp_path / "images").read_bytes()
    (tmp_path / "images").write_bytes(data[:-100])
    refused(3, ["images"], "eval", CONVNET, "--data", "d.yaml")


def test_missing_data_file(refused, tmp_path):
    data_yaml(tmp_path, *test_images())
    (tmp_path / "labels").unlink()
    refused(3, ["labels"], "eval", CONVNET, "--data", "d.yaml")
    refused(3, ["absent.yaml"], "eval", CONVNET, "--data", "absent.yaml")


def test_unknown_data_key(refused, tmp_path):
    data_yaml(tmp_path, *test_images(), "preproces: {scale: 1}\n")
    result = run_pare("eval", CONVNET, "--data", tmp_path / "d.yaml")
    assert result.code in (2, 3)
    refused(result.code, ["preproces", "did you mean 'preprocess'"], "eval", CONVNET, "--data", "d.yaml")


def test_more_classes_in_the_data_than_in_the_model(refused, tmp_path):
    images, labels = test_images()
    data_yaml(tmp_path, images, np.arange(64) % 12)
    refused(3, ["10"], "eval", CONVNET, "--data", "d.yaml")


def test_absent_split(refused, tmp_path):
    data_yaml(tmp_path, *test_images())
    refused(2, ["val"], "eval", CONVNET, "--data", "d.yaml", "--split", "val")


@pytest.mark.parametrize("array, words", [
    (np.zeros((1, 1, 28, 28), np.float64), ["float32", "float64"]),
    (np.zeros((1, 3, 28, 28), np.float32), ["1", "3"]),
    (np.zeros((28, 28), np.float32), ["28"]),
], ids=["dtype", "channels", "rank"])
def test_run_with_a_wrong_array(refused, tmp_path, array, words):
    np.save(tmp_path / "x.npy", array)
    refused(3, words, "run", CONVNET, "--input", "x.npy", "-o", "y.npz")


def test_run_with_a_wrong_name(refused, tmp_path):
    np.savez(tmp_path / "x.npz", wrong=np.zeros((1, 1, 28, 28), np.float32))
    refused(3, ["wrong"], "run", CONVNET, "--inputs", "x.npz", "-o", "y.npz")
    refused(2, ["--input"], "run", CONVNET)


# Quantization ------------------------------------------------------------------------------------------------------------------

def test_calibration_without_training_samples(refused, tmp_path):
    data_yaml(tmp_path, *test_images())
    refused(2, ["quantize", "calibration needs a train split"], "quantize", CONVNET, "--data", "d.yaml", "-o", "q.onnx")
    for flags, key in ((["--weights-rounding", "gptq"], "weights.rounding"), (["--awq", "auto"], "quantize.awq")):
        refused(2, [key, "train split"], "quantize", CONVNET, "--data", "d.yaml", "--method", "weight_only", "-o", "q.onnx", *flags)
    refused(2, ["quantize.weighting", "train split"], "quantize", CONVNET, "--data", "d.yaml", "--method", "codebook", "--weighting",
            "inputs", "-o", "q.onnx")


@pytest.mark.parametrize("code,method,flags,words", [
    (2, "static", ["--weights-bits", 17], ["weights.bits", "1 to 16", "17"]),
    (4, "static", ["--weights-bits", 9], ["weights.bits", "1 to 8", "9"]),
    (4, "static", ["--activations-bits", 12], ["activations.bits", "2 to 8 or 16", "got 12"]),
    (4, "dynamic", ["--weights-bits", 4], ["weights.bits", "8", "got 4"]),
    (2, "dynamic", ["--weights-bits", 0], ["weights.bits", "0"]),
    (2, "weight_only", ["--weights-bits", 1], ["weights.bits", "2 to 8", "1"]),
    (2, "weight_only", ["--weights-bits", 9], ["weights.bits", "2 to 8", "9"]),
    (2, "qat", ["--weights-bits", 9], ["weights.bits", "9"])])
def test_bits_out_of_range(refused, fmnist, code, method, flags, words):
    refused(code, words, "quantize", CONVNET, "--data", fmnist, "--method", method, "-o", "q.onnx", *flags)


def test_group_that_does_not_divide(refused, fmnist):
    refused(4, ["node '/fc1/Gemm'", "group_size", "exclude", "a divisor of 784", "got 48"], "quantize", MLP, "--data", fmnist, "--method",
            "weight_only", "--weights-group-size", 48, "-o", "q.onnx")


def through_sqrt(model):
    """NaN where the image is as bright as can be, (1 − 0.286)/0.353 = 2.02, which nothing behind the second convolution shows."""
    graph = model.graph
    image, first = graph.input[0].name, next(node for node in graph.node if node.op_type == "Conv")
    second = [node for node in graph.node if node.op_type == "Conv"][1]
    graph.initializer.append(numpy_helper.from_array(np.float32(2), "top"))
    graph.initializer.append(numpy_helper.from_array(np.float32(0), "nothing"))
    first.input[0] = "rooted"
    odd = [helper.make_node("Sub", ["top", image], ["darkness"], name="darken"),
           helper.make_node("Sqrt", ["darkness"], ["rooted"], name="root")]
    made = second.output[0]
    second.output[0] = "broken"
    mended = [helper.make_node("IsNaN", ["broken"], ["is_nan"], name="find"),
              helper.make_node("Where", ["is_nan", "nothing", "broken"], [made], name="mend")]
    nodes = [*odd, *graph.node]
    at = next(i for i, node in enumerate(nodes) if node.name == second.name and node.op_type == "Conv") + 1
    nodes[at:at] = mended
    del graph.node[:]
    graph.node.extend(nodes)


@pytest.mark.parametrize("flags", [[], ["--method", "weight_only"], ["--method", "weight_only", "--weights-rounding", "adaround"],
                                   ["--method", "weight_only", "--weights-rounding", "nearest", "--awq", "0.5"],
                                   ["--method", "codebook", "--weighting", "inputs"]],
                         ids=["static", "gptq", "adaround", "awq", "codebook"])
def test_activations_that_are_not_finite(refused, tmp_path, flags):
    images, labels = test_images(64)
    data_yaml(tmp_path, images, labels, "train: {format: idx, images: bright, labels: labels}\n")
    write_idx(tmp_path / "bright", np.full_like(images, 255))
    edited(tmp_path / "bad.onnx", through_sqrt)
    refused(3, ["layer 'root'", "'rooted'", "NaN", "finite"], "quantize", "bad.onnx", "--data", "d.yaml", "-o", "q.onnx", *flags)


def test_constant_activations(refused, tmp_path):
    images, labels = test_images(64)
    data_yaml(tmp_path, images, labels, "train: {format: idx, images: grey, labels: labels}\n")
    write_idx(tmp_path / "grey", np.full_like(images, 100))
    first = next(node for node in onnx.load(str(CONVNET)).graph.node if node.op_type == "Conv")
    refused(3, [f"layer '{first.name}'", f"'{first.input[0]}'", "58 calibration samples", f"--exclude {first.name}"], "quantize", CONVNET,
            "--data", "d.yaml", "-o", "q.onnx")


def old_resize(model):
    """An image of opset 12 that is scaled as only opsets 11 and 12 can."""
    graph = model.graph
    image, first = graph.input[0].name, next(node for node in graph.node if node.op_type == "Conv")
    graph.initializer.append(numpy_helper.from_array(np.zeros(0, np.float32), "roi"))
    graph.initializer.append(numpy_helper.from_array(np.ones(4, np.float32), "scales"))
    first.input[0] = "resized"
    nodes = [helper.make_node("Resize", [image, "roi", "scales"], ["resized"], name="old", mode="linear",
                              coordinate_transformation_mode="tf_half_pixel_for_nn"), *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    next(o for o in model.opset_import if o.domain == "").version = 12


@pytest.mark.parametrize("flags,words", [
    ([], ["opset 13", "method dynamic (opset 11)"]),
    (["--weights-bits", 4], ["opset 21", "int4 weights need opset 21", "stored in bytes (opset 13)"]),
    (["--activations-bits", 16], ["16-bit activations need opset 21", "8 bits (opset 13)"]),
    (["--method", "weight_only"], ["groups", "need opset 21", "group_size 0 (opset 13)", "exclude"]),
    (["--method", "codebook", "--entries", 16], ["indices of 4 bits need opset 21", "more than 16 entries"])],
    ids=["static", "int4", "int16", "weight_only", "codebook"])
def test_opset_too_low_for_the_type(refused, small_data, tmp_path, flags, words):
    edited(tmp_path / "old.onnx", old_resize)
    refused(4, ["node 'old'", "Resize", "export the model anew with opset 13", *words], "quantize", "old.onnx", "--data", small_data, "-o",
            "q.onnx", *flags)


# Recipes and flags -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text, words", [
    ("steps:\n  - finetune: {epoch: 2}\n", ["epoch", "did you mean 'epochs'"]),
    ("steps:\n  - prun: {}\n", ["prun", "did you mean 'prune'"]),
    ("steps:\n  - prune: {sparsity: much}\n", ["sparsity", "much"]),
    ("steps:\n  - prune: {sparsity: 2}\n", ["sparsity", "2"]),
    ("steps:\n  - prune: {pattern: '8:64', sparsity: 0.5}\n", ["sparsity", "8:64"]),
    ("steps:\n  - prune: {method: magnitud}\n", ["magnitud", "did you mean 'magnitude'"]),
    ("step: []\n", ["step", "did you mean 'steps'"]),
    ("steps: [\n", ["r.yaml"]),
], ids=["key", "step", "type", "range", "conflict", "method", "top", "yaml"])
def test_recipes(refused, fmnist, tmp_path, text, words):
    (tmp_path / "r.yaml").write_text(text)
    result = run_pare("compress", CONVNET, "--recipe", tmp_path / "r.yaml", "--data", fmnist, "-o", tmp_path / "out")
    assert result.code == (3 if "yaml" in words[0] and result.code == 3 else 2), result.err
    refused(result.code, words, "compress", CONVNET, "--recipe", "r.yaml", "--data", fmnist, "-o", "out")


def test_unknown_target(refused, fmnist):
    refused(2, ["no_such_layer"], "prune", CONVNET, "-o", "p.onnx", "--sparsity", 0.5, "--exclude", "no_such_layer")


@pytest.mark.parametrize("arguments, words", [
    (["quantise", "m.onnx"], ["quantise", "did you mean 'quantize'"]),
    (["inspect", "m.onnx", "--jsn"], ["--jsn", "did you mean '--json'"]),
    (["finetune", "m.onnx", "-o", "x", "--epoch", "2"], ["--epoch", "did you mean '--epochs'"]),
    (["inspect"], ["MODEL"]),
    ([], []),
    (["inspect", CONVNET, "--threads", "-3"], ["--threads"]),
    (["inspect", CONVNET, "--max-memory", "lots"], ["--max-memory", "lots"]),
    (["inspect", CONVNET, "--shape", "x"], ["--shape"]),
    (["inspect", CONVNET, "--shape", "x=1x-1"], ["--shape"]),
    (["prune", CONVNET, "-o", "p.onnx", "--sparsity", "half"], ["--sparsity", "half"]),
], ids=["command", "flag", "option", "model", "nothing", "threads", "memory", "shape", "dims", "number"])
def test_usage(refused, arguments, words):
    refused(2, words, *arguments)


def test_shape_that_contradicts_the_model(refused):
    name = run_pare("inspect", CONVNET, "--json").json["inputs"][0]["name"]
    refused(3, [name, "3"], "inspect", CONVNET, "--shape", f"{name}=1x3x28x28")
    result = run_pare("inspect", CONVNET, "--shape", "nothing=1x3")
    assert result.code in (2, 3) and "nothing" in result.error


# Outputs -----------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["model.onnx", "run.json", "report.html", "recipe.yaml"])
def test_existing_output_is_refused_before_any_work(refused, fmnist, tmp_path, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("precious")
    (tmp_path / "r.yaml").write_text("steps: [{prune: {sparsity: 0.5}}]\n")
    refused(2, [name, "--force"], "compress", CONVNET, "--recipe", "r.yaml", "--data", fmnist, "-o", "out", timeout=10)


def test_existing_array_is_refused(refused, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1, 1, 28, 28), np.float32))
    (tmp_path / "y.npz").write_text("precious")
    refused(2, ["y.npz", "--force"], "run", CONVNET, "--input", "x.npy", "-o", "y.npz")


def limited(blocks):
    """A shell that limits the size of files, in KiB: the nearest thing to a full disk that needs no privileges."""
    return ("bash", "-c", f'ulimit -f {blocks}; exec "$@"', "bash")


def test_disk_full(refused, tmp_path):
    refused(5, ["q.onnx"], "prune", MODELS / "fmnist_resnet10.onnx", "-o", "q.onnx", "--sparsity", 0.5, prefix=limited(1000))


def test_disk_full_keeps_the_old_result(refused, tmp_path):
    (tmp_path / "p.onnx").write_text("precious")
    refused(5, ["p.onnx"], "prune", MODELS / "fmnist_resnet10.onnx", "-o", "p.onnx", "--sparsity", 0.5, "--force", prefix=limited(1000))


def test_disk_full_for_a_folder(tmp_path, small_data):
    (tmp_path / "r.yaml").write_text("steps: [{prune: {sparsity: 0.5}}]\n")
    result = run_pare("compress", MODELS / "fmnist_resnet10.onnx", "--recipe", "r.yaml", "--data", small_data, "-o", "out",
                      cwd=tmp_path, prefix=limited(1000))
    assert result.code == 5 and "pare: error:" in result.error
    assert {p.name for p in tmp_path.iterdir()} <= {"r.yaml", "out"}
    if (tmp_path / "out").exists():
        assert {p.name for p in (tmp_path / "out").iterdir()} == {"checkpoints"}


def test_full_standard_output():
    with open("/dev/full", "w") as full:
        done = subprocess.run([PARE, "inspect", CONVNET], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 5 and "standard output" in done.stderr


def test_output_in_a_place_that_is_a_file(refused, fmnist, tmp_path):
    (tmp_path / "out").write_text("a file")
    (tmp_path / "r.yaml").write_text("steps: [{prune: {sparsity: 0.5}}]\n")
    refused(2, ["out"], "compress", CONVNET, "--recipe", "r.yaml", "--data", fmnist, "-o", "out")
    assert listing(tmp_path)["out"] == b"a file"


def test_output_where_nothing_can_be_written(refused, fmnist):
    refused(5, ["/proc/p.onnx"], "prune", CONVNET, "--data", fmnist, "-o", "/proc/p.onnx", "--sparsity", 0.5)


def test_diverged_training_leaves_only_checkpoints(trainer, small_data, tmp_path):
    result = run_pare("finetune", CONVNET, "--data", small_data, "-o", "f.onnx", "--lr", 100, "--clip-norm", 0,
                      "--epochs", 1, "--limit", 2000, cwd=tmp_path)
    assert result.code == 7 and "step" in result.error
    assert [p.name for p in tmp_path.iterdir()] == ["f.onnx.checkpoints"]


def test_resume_without_checkpoints(refused, fmnist, tmp_path):
    (tmp_path / "r.yaml").write_text("steps: [{prune: {sparsity: 0.5}}]\n")
    refused(3, ["checkpoints"], "compress", CONVNET, "--recipe", "r.yaml", "--data", fmnist, "-o", "out", "--resume")


def test_damaged_run_record(refused, tmp_path):
    (tmp_path / "r").mkdir()
    refused(3, ["run.json"], "report", "r")
    (tmp_path / "r" / "run.json").write_text("{\"format\": \"other\"}")
    refused(3, ["run"], "report", "r")
