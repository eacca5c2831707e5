#!/usr/bin/env python3
"""Writes the textbook networks with zero weights (`pare finetune --from-scratch` draws them) and the table of SimpleNet's data.
Usage: networks.py FOLDER. Files that exist are kept."""
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Network:
    """Layers one after the other on a batch of free size."""

    def __init__(self, name, shape):
        self.name, self.nodes, self.weights, self.last = name, [], [], "image"
        self.input = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *shape])

    def weight(self, name, shape):
        self.weights.append(numpy_helper.from_array(np.zeros(shape, np.float32), name))
        return name

    def add(self, kind, name, weights=(), **attributes):
        self.nodes.append(helper.make_node(kind, [self.last, *weights], [f"{name}_out"], name, **attributes))
        self.last = f"{name}_out"
        return self

    def conv(self, name, inputs, outputs):
        self.add("Conv", name, (self.weight(f"{name}.weight", (outputs, inputs, 3, 3)), self.weight(f"{name}.bias", (outputs,))),
                 kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        self.add("Relu", f"{name}_relu")
        return self.add("MaxPool", f"{name}_pool", kernel_shape=[2, 2], strides=[2, 2])

    def linear(self, name, inputs, outputs, relu=True):
        self.add("Gemm", name, (self.weight(f"{name}.weight", (outputs, inputs)), self.weight(f"{name}.bias", (outputs,))),
                 transB=1)
        return self.add("Relu", f"{name}_relu") if relu else self

    def save(self, path):
        self.nodes[-1].output[0] = "logits"
        classes = self.weights[-1].dims[0]
        graph = helper.make_graph(self.nodes, self.name, [self.input],
                                  [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, str(path))


def mlp():
    return (Network("mlp", (1, 28, 28)).add("Flatten", "flatten").linear("fc1", 784, 256).linear("fc2", 256, 64)
            .linear("fc3", 64, 10, relu=False))


def simplenet():
    return Network("simplenet", (10,)).linear("fc1", 10, 50).linear("fc2", 50, 2, relu=False)


def classifier():
    return (Network("classifier", (3, 32, 32)).conv("conv1", 3, 16).conv("conv2", 16, 32).add("Flatten", "flatten")
            .linear("fc1", 32 * 8 * 8, 256).linear("fc2", 256, 10, relu=False))


def convnet():
    return (Network("convnet", (1, 28, 28)).conv("conv1", 1, 16).conv("conv2", 16, 32).add("Flatten", "flatten")
            .linear("fc", 32 * 7 * 7, 10, relu=False))


def write_table(path, samples, seed):
    """Ten features; the class is whether a random quadratic form of them is positive, so no line separates the two."""
    generator = np.random.default_rng(0)
    form, slope = generator.standard_normal((10, 10)), generator.standard_normal(10)
    x = np.random.default_rng(seed).standard_normal((samples, 10))
    score = np.einsum("ni,ij,nj->n", x, form, x) + 2 * x @ slope - np.trace(form)
    np.savez(path, image=x.astype(np.float32), y=(score > 0).astype(np.int64))


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for make in (mlp, simplenet, classifier, convnet):
        path = folder / f"{make.__name__}.onnx"
        if not path.exists():
            make().save(path)
    for name, samples, seed in (("train", 8000, 1), ("test", 2000, 2)):
        path = folder / f"simplenet_{name}.npz"
        if not path.exists():
            write_table(path, samples, seed)
    (folder / "simplenet_data.yaml").write_text("train: {format: npz, file: simplenet_train.npz, labels: y}\n"
                                                "test: {format: npz, file: simplenet_test.npz, labels: y}\n")


if __name__ == "__main__":
    main()
