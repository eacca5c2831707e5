"""What the studies share: runs `pare` one step at a time and reads the record that it leaves."""
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARE = os.environ.get("PARE", str(ROOT / "build/bin/pare"))


def run(step, model, data, *flags, out=None):
    """The run.json of one step; the model that it writes is dropped unless `out` says where it stays."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report"
        done = subprocess.run([PARE, step, str(model), "--data", str(data), "-o", str(out or f"{folder}/out.onnx"), "--report",
                               str(report), "--force", "--quiet", *map(str, flags)], capture_output=True, text=True)
        if done.returncode not in (0, 8):
            raise SystemExit(f"pare {step} {' '.join(map(str, flags))}: {done.stderr.strip()}")
        return json.loads((report / "run.json").read_text())


def machine(record):
    environment = record["environment"]
    return f"{environment['cpu']}, {environment['isa']}, {environment['threads']} threads, commit {environment['commit'][:7]}"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
