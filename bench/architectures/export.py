"""A network with sensible random weights, and its ONNX files by both PyTorch exporters."""
import multiprocessing
import pathlib
import traceback
import warnings
import logging

import numpy as np
import torch

EXPORTERS = ("torchscript", "dynamo")
BATCH = 2


def settle(model, row):
    """BatchNorm statistics of the network's own activations, as a trained network has: averages over four batches."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms or not row.batched:
        return
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
    model.train()
    with torch.no_grad():
        for _ in range(4):
            model(*row.inputs(8).values())


def draw_constants(model):
    """Weights that start at zero (heads of some networks) would make outputs constant; equal biases and scales would hide
    a wrong order of channels."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() >= 2 and not weight.any():
                weight.normal_(0, 0.02)
            elif weight.dim() == 1 and len(weight) > 1 and (weight == weight[0]).all():
                weight.add_(0.05 * torch.randn_like(weight))


def build(row):
    torch.backends.mha.set_fastpath_enabled(False)  # one fused operator that the TorchScript exporter does not know
    torch.manual_seed(0)
    model = row.build()
    draw_constants(model)
    settle(model, row)
    return model.eval()


def write(row, exporter, path):
    """The ONNX file, and `path`.npz with inputs of BATCH samples and PyTorch's own outputs."""
    model = build(row)
    torch.manual_seed(1)
    inputs = row.inputs(BATCH if row.batched else 1)
    names, values = list(inputs), tuple(inputs.values())
    with torch.no_grad():
        outputs = model(*values)
    outputs = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
    output_names = [f"output{i}" for i in range(len(outputs))]
    common = {"input_names": names, "output_names": output_names}
    with torch.no_grad():
        if exporter == "torchscript":
            axes = {name: {0: "batch"} for name in names + output_names} if row.batched else None
            torch.onnx.export(model, values, path, dynamo=False, opset_version=17, dynamic_axes=axes, **common)
        else:
            shapes = tuple({0: torch.export.Dim("batch")} for _ in names) if row.batched else None
            torch.onnx.export(model, values, path, dynamo=True, external_data=False, dynamic_shapes=shapes, verbose=False, **common)
    arrays = {f"in:{name}": value.numpy() for name, value in inputs.items()}
    arrays |= {f"out:{name}": value.numpy() for name, value in zip(output_names, outputs)}
    np.savez(f"{path}.npz", **arrays)


def attempt(row, exporter, path, pipe):
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    try:
        write(row, exporter, path)
        pipe.send("")
    except BaseException as error:
        traceback.print_exc()
        pipe.send(f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:200])


def export(row, exporter, path):
    """Why the exporter did not write the file, or "". A process of its own: exporters leave much memory behind."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=attempt, args=(row, exporter, str(path), theirs))
    child.start()
    theirs.close()
    child.join(600)
    if child.is_alive():
        child.kill()
        child.join()
        return "takes longer than 600 s"
    try:
        reason = ours.recv()
    except EOFError:
        return f"the exporter crashed (exit status {child.exitcode})"
    if reason:
        for leftover in pathlib.Path(path).parent.glob(pathlib.Path(path).name + "*"):
            leftover.unlink()
    return reason
