"""examples/textbook: the smallest experiment as a user runs it, its table, and what the command refuses."""
import json
import os
import subprocess

from conftest import PARE, SOURCE

RUN = SOURCE / "examples" / "textbook" / "run"


def run(*arguments):
    return subprocess.run([RUN, *map(str, arguments)], env={**os.environ, "PARE": PARE}, timeout=300, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)


def test_simplenet(tmp_path):
    done = run("--only", "simplenet", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "simplenet" / "run.json").read_text())
    assert [step["step"] for step in record["steps"]] == ["prune", "quantize"]
    assert record["before"]["test"]["top1"] > 90
    assert record["after"]["nonzero_parameters"] < 0.6 * record["before"]["nonzero_parameters"]
    page = (tmp_path / "out" / "textbook.md").read_text()
    assert f"| {record['after']['test']['top1']:.2f} |" in page and "quantize dynamic" in page


def test_bad_arguments(tmp_path):
    for arguments, word in ((["--only", "lenet", tmp_path / "out"], "lenet"), (["--resnet", "x"], "--resnet18"),
                            (["--only"], "--only")):
        done = run(*arguments)
        assert done.returncode != 0 and word in done.stderr
    assert not (tmp_path / "out").exists()
