#!/usr/bin/env python3
"""ResNet-50 (He et al. 2016, version 1.5 as torchvision has it, BatchNorm folded) with random weights, and smooth random images to
calibrate on: FOLDER/resnet50.onnx, FOLDER/images.npy (uint8, N×224×224×3) and FOLDER/data.yaml.

    bench/resnet50.py FOLDER [--images 1024]

The packages are those of tests/requirements.txt. What is made stays when it is there."""
import argparse
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Builder:
    def __init__(self):
        self.nodes, self.weights, self.random = [], [], np.random.default_rng(0)

    def weight(self, name, array):
        self.weights.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def conv(self, name, x, inputs, outputs, size, stride=1, relu=True, gain=2.0):
        weight = self.random.standard_normal((outputs, inputs, size, size)) * np.sqrt(gain / (inputs * size * size))
        bias = 0.05 * self.random.standard_normal(outputs)
        self.nodes.append(helper.make_node("Conv", [x, self.weight(f"{name}.weight", weight), self.weight(f"{name}.bias", bias)],
                                           [f"{name}_out"], name, kernel_shape=[size, size], strides=[stride, stride],
                                           pads=[size // 2] * 4))
        return self.add("Relu", f"{name}_relu", f"{name}_out") if relu else f"{name}_out"

    def add(self, kind, name, *inputs, **attributes):
        self.nodes.append(helper.make_node(kind, list(inputs), [f"{name}_out"], name, **attributes))
        return f"{name}_out"

    def block(self, name, x, inputs, width, stride):
        y = self.conv(f"{name}.conv1", x, inputs, width, 1)
        y = self.conv(f"{name}.conv2", y, width, width, 3, stride)
        # Branches of a quarter of the variance keep the sum's from growing with the depth.
        y = self.conv(f"{name}.conv3", y, width, 4 * width, 1, relu=False, gain=0.5)
        if inputs != 4 * width:
            x = self.conv(f"{name}.downsample", x, inputs, 4 * width, 1, stride, relu=False, gain=1.0)
        return self.add("Relu", f"{name}.relu", self.add("Add", f"{name}.add", y, x))


def resnet50():
    b = Builder()
    x = b.conv("conv1", "image", 3, 64, 7, 2)
    x = b.add("MaxPool", "maxpool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    inputs = 64
    for stage, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], 1):
        for i in range(blocks):
            x = b.block(f"layer{stage}.{i}", x, inputs, width, 2 if stage > 1 and i == 0 else 1)
            inputs = 4 * width
    x = b.add("Flatten", "flatten", b.add("GlobalAveragePool", "pool", x))
    b.nodes.append(helper.make_node("Gemm", [x, b.weight("fc.weight", b.random.standard_normal((1000, 2048)) / 45),
                                             b.weight("fc.bias", np.zeros(1000))], ["logits"], "fc", transB=1))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 224, 224])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 1000])
    model = helper.make_model(helper.make_graph(b.nodes, "resnet50", [image], [logits], b.weights),
                              opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def images(count):
    """Sums of noise at three scales: neighbouring pixels are alike, as in photographs."""
    random, out = np.random.default_rng(1), np.empty((count, 224, 224, 3), np.uint8)
    for i in range(count):
        total = sum(np.kron(random.standard_normal((size, size, 3)), np.ones((224 // size, 224 // size, 1)))
                    for size in (7, 28, 112))
        out[i] = np.clip(120 + 35 * total, 0, 255)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--images", type=int, default=1024)
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "resnet50.onnx").exists():
        onnx.save(resnet50(), str(folder / "resnet50.onnx"))
    if not (folder / "images.npy").exists() or len(np.load(folder / "images.npy", mmap_mode="r")) != arguments.images:
        np.save(folder / "images.npy", images(arguments.images))
    (folder / "data.yaml").write_text("train: {format: npy, images: images.npy}\nval: {holdout: 0}\n"
                                      "preprocess: {scale: 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}\n")
    print(folder / "resnet50.onnx", folder / "data.yaml")


if __name__ == "__main__":
    main()
