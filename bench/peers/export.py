#!/usr/bin/env python3
"""Exports the networks of the comparison, with random weights: FOLDER/NAME.onnx in float32 and FOLDER/NAME.int8.onnx, the QDQ file
that ONNX Runtime's static quantizer writes (u8 activations, s8 weights per channel). Files that exist are kept."""
import pathlib
import sys

import numpy as np
import onnxruntime.quantization as quantization
import timm
import torch
import torchvision
from onnxruntime.quantization.shape_inference import quant_pre_process
from transformers import BertConfig, BertModel

IMAGE = {"image": (1, 3, 224, 224)}
TOKENS = {"input_ids": (1, 128), "attention_mask": (1, 128)}


class Encoder(torch.nn.Module):
    """MiniLM-L6: 6 layers, 384 wide, 12 heads."""

    def __init__(self):
        super().__init__()
        config = BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536,
                            attn_implementation="eager")
        self.bert = BertModel(config, add_pooling_layer=False)

    def forward(self, input_ids, attention_mask):
        return self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


NETWORKS = {
    "resnet18": (lambda: torchvision.models.resnet18(), IMAGE),
    "resnet50": (lambda: torchvision.models.resnet50(), IMAGE),
    "mobilenet_v2": (lambda: torchvision.models.mobilenet_v2(), IMAGE),
    "mobilenet_v3_large": (lambda: torchvision.models.mobilenet_v3_large(), IMAGE),
    "efficientnet_lite0": (lambda: timm.create_model("efficientnet_lite0"), IMAGE),
    "minilm_l6": (Encoder, TOKENS),
}


def sample(shapes, generator):
    """One input by name: images of unit variance, or token ids with a full mask."""
    values = {}
    for name, shape in shapes.items():
        if name == "input_ids":
            values[name] = generator.integers(0, 30000, shape).astype(np.int64)
        elif name == "attention_mask":
            values[name] = np.ones(shape, np.int64)
        else:
            values[name] = generator.standard_normal(shape).astype(np.float32)
    return values


class Calibration(quantization.CalibrationDataReader):
    def __init__(self, shapes):
        generator = np.random.default_rng(0)
        self.samples = iter([sample(shapes, generator) for _ in range(4)])

    def get_next(self):
        return next(self.samples, None)


def export(make, shapes, path):
    torch.manual_seed(0)
    network = make().eval()
    inputs = {name: torch.from_numpy(value) for name, value in sample(shapes, np.random.default_rng(1)).items()}
    with torch.no_grad():
        torch.onnx.export(network, tuple(inputs.values()), str(path), input_names=list(inputs), output_names=["output"],
                          dynamic_axes={name: {0: "N"} for name in inputs}, opset_version=17, dynamo=False)


def quantize(source, target, shapes):
    prepared = target.with_suffix(".prepared")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantization.quantize_static(str(prepared), str(target), Calibration(shapes), quant_format=quantization.QuantFormat.QDQ,
                                 per_channel=True, activation_type=quantization.QuantType.QUInt8,
                                 weight_type=quantization.QuantType.QInt8)
    prepared.unlink()


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, (make, shapes) in NETWORKS.items():
        real, integer = folder / f"{name}.onnx", folder / f"{name}.int8.onnx"
        if not real.exists():
            print(f"exporting {name}", file=sys.stderr)
            export(make, shapes, real)
        if not integer.exists():
            print(f"quantizing {name}", file=sys.stderr)
            quantize(real, integer, shapes)


if __name__ == "__main__":
    main()
