#!/usr/bin/python3
"""Samples a second of fine-tuning, Pare against the same training in Python on the same LibTorch, in turns.

Needs Debian's python3-torch (run it with /usr/bin/python3) and a build with PARE_BUILD_BENCH and PARE_BUILD_TRAIN:
    bench/train/finetune_throughput.py build/bin/pare_bench_train fmnist_resnet18.onnx --network resnet18
The Python side is the usual way to write it: channels_last, torch.optim.SGD with Nesterov momentum and weight decay. BatchNorm
is folded into the convolutions on both sides, as in the ONNX file.
"""
import argparse
import json
import subprocess
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)
        change = stride != 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if change else nn.Identity()

    def forward(self, x):
        return F.relu_(self.second(F.relu_(self.first(x))) + self.shortcut(x))


class ResNet18(nn.Module):
    """The CIFAR form: a 3x3 stem without pooling, widths 64 to 512, two blocks a stage."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 64, 3, 1, 1)
        blocks, inputs = [], 64
        for width, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
            blocks.append(Block(inputs, width, stride))
            inputs = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(512, 10)

    def forward(self, x):
        x = self.blocks(F.relu_(self.stem(x)))
        return self.head(x.mean((2, 3)))


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2),
                                  nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2), nn.Flatten())
        self.head = nn.Linear(32 * 49, 10)

    def forward(self, x):
        return self.head(self.body(x))


def python_rate(network, batch, steps, threads, teacher, precision):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = network().to(memory_format=torch.channels_last)
    original = network().to(memory_format=torch.channels_last).eval() if teacher else None
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, nesterov=True, weight_decay=5e-4)
    x = torch.rand(batch, 1, 28, 28).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (batch,))

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            logits = model(x)
        logits = logits.float()
        loss = F.cross_entropy(logits, labels)
        if original is not None:
            with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
                target = F.log_softmax(original(x).float() / 4, 1)
            target = target.clone()
            divergence = F.kl_div(F.log_softmax(logits / 4, 1), target, reduction="batchmean", log_target=True)
            loss = 0.1 * loss + 0.9 * 16 * divergence
        loss.backward()
        optimizer.step()
        return loss.item()

    for _ in range(3):
        step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return batch * steps / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--network", choices=("resnet18", "convnet"), default="resnet18")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--teacher", action="store_true")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    options = parser.parse_args()
    network = {"resnet18": ResNet18, "convnet": ConvNet}[options.network]
    command = [options.program, options.model, str(options.batch), str(options.steps), str(options.threads)]
    command += [options.model if options.teacher else "-", options.precision]
    ours, theirs = [], []
    for _ in range(options.rounds):
        theirs.append(python_rate(network, options.batch, options.steps, options.threads, options.teacher, options.precision))
        ours.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    median = lambda values: sorted(values)[len(values) // 2]
    print(json.dumps({"torch": torch.__version__, "batch": options.batch, "threads": options.threads,
                      "teacher": options.teacher, "precision": options.precision, "pare_samples_per_s": round(median(ours), 1),
                      "python_samples_per_s": round(median(theirs), 1), "ratio": round(median(ours) / median(theirs), 3)}))


if __name__ == "__main__":
    main()
