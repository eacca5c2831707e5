"""The README's demo in its quick form, and what it leaves."""
import json
import subprocess

import numpy as np
import onnxruntime

from conftest import FMNIST, PARE, SOURCE, idx


def test_quick_demo(tmp_path):
    out = tmp_path / "demo"
    subprocess.run([SOURCE / "examples" / "demo", "--quick", out], check=True, env={"PARE": PARE, "PATH": "/usr/bin:/bin"},
                   timeout=300)
    run = json.loads((out / "run.json").read_text())
    assert [step["step"] for step in run["steps"]] == ["prune", "finetune", "quantize"]
    assert run["gate"]["passed"] is True
    assert run["after"]["file_bytes"] < 0.4 * run["before"]["file_bytes"]
    assert (out / "report.html").read_text().rstrip().endswith("</html>")

    images = (idx(FMNIST / "t10k-images-idx3-ubyte.gz")[:, None] / np.float32(255) - np.float32(0.2860)) / np.float32(0.3530)
    labels = idx(FMNIST / "t10k-labels-idx1-ubyte.gz")
    options = onnxruntime.SessionOptions()
    # As written: without VNNI, ONNX Runtime's fused integer kernels saturate.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(out / "model.onnx"), options, providers=["CPUExecutionProvider"])
    logits = np.concatenate([session.run(None, {"image": part})[0] for part in np.split(images.astype(np.float32), 20)])
    # The recorded accuracy is that of our integer kernels: the same top-1 on ≥ 99.9 % of the images bounds the difference.
    assert abs(100 * (logits.argmax(1) == labels).mean() - run["after"]["test"]["top1"]) <= 0.1
