"""Runs node tests by build/bin/pare_node_cases and writes docs/conformance.md.

usage: report.py PROGRAM OUT.md NAME=FOLDER…     (NAME: a collection's title; FOLDER: of test folders)
       report.py --check …                       the same, and exit 1 below the bounds that the project promises
"""
import argparse
import collections
import pathlib
import re
import subprocess
import sys

import onnx

SOURCE = pathlib.Path(__file__).resolve().parents[2]
EXECUTORS = ("reference", "runtime")
Case = collections.namedtuple("Case", "name operator domain expanded tensors")

# Reasons that the outcome alone does not tell; first match wins. (pattern of "name outcome reason", what is true)
REASONS = [
    (r"not_tensors", "an input or output is a sequence, an optional or a map: Pare's values are tensors"),
    (r"in training mode", "training mode: the trainer's, not inference's"),
    (r"held at run time \(got string\)", "strings: the reference has them, the runtime does not"),
    (r"test_castlike_.*BFLOAT16.* error (like|input 'like')", "the file itself is at odds with its model (shape [1] where it declares [3, 4])"),
    (r"test_attention\S*fp16\S* differs", "float16 throughout: the result differs by two units in the last place of float16, just over 1e-3"),
    (r"depends on data", "a shape that depends on the values of inputs, in the middle of a plan"),
    (r"preview\.training|Adagrad|Adam\b|Momentum", "optimizers as operators (ai.onnx.preview.training)"),
    (r"ai\.onnx\.ml|LabelEncoder|TreeEnsemble|Binarizer|ArrayFeatureExtractor", "classical machine learning (ai.onnx.ml)"),
    (r"FlexAttention", "ai.onnx.preview: not yet part of ONNX"),
    (r"Bernoulli|RandomUniformLike", "random results: nothing to compare"),
    (r"opset 8 is older", "an operator set older than the operator's present form"),
]


def cases_of(folder):
    """What each test is about: the operator of its node; of an expansion, the operator that was expanded."""
    found = {}
    for path in sorted(p for p in folder.iterdir() if (p / "model.onnx").exists()):
        model = onnx.load(str(path / "model.onnx"), load_external_data=False)
        node = model.graph.node[0]
        ports = [*model.graph.input, *model.graph.output]
        expanded = "_expanded" in path.name
        found[path.name] = Case(path.name, node.op_type, node.domain, expanded, all(p.type.HasField("tensor_type") for p in ports))
    for name, case in found.items():
        plain = found.get(re.sub(r"_expanded.*", "", name))
        if case.expanded and plain:
            found[name] = case._replace(operator=plain.operator, domain=plain.domain)
    return found


def run(program, folder, names):
    """{(name, executor): (outcome, reason)}. A crash ends the program; it is recorded, and the rest runs in a new one."""
    results, todo = {}, list(names)
    while todo:
        done = subprocess.run([program], input="".join(f"{folder / name}\n" for name in todo), text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started = None
        for line in done.stdout.splitlines():
            fields = line.split("\t")
            if len(fields) == 1:
                started = fields[0]
            else:
                results[fields[0], fields[1]] = (fields[2], fields[3].replace(str(folder) + "/", ""))
        if done.returncode == 0:
            break
        if started is None:
            raise SystemExit(f"{program} exits {done.returncode} at once: {done.stderr[-500:]}")
        for executor in EXECUTORS:
            results.setdefault((started, executor), ("crash", f"exit status {done.returncode}"))
        todo = todo[todo.index(started) + 1:]
    return results


def reason_of(name, outcome, reason):
    text = f"{name} {outcome} {reason}"
    for pattern, truth in REASONS:
        if re.search(pattern, text):
            return truth
    unknown = re.search(r"(\w+) '[^']*': unknown operator|\((\w+)[^()]*\): unknown operator", reason)
    if unknown:
        return f"no operator {unknown.group(1) or unknown.group(2)}"
    return f"{outcome}: {reason}"


def rows():
    """Operators of ai.onnx that Pare has."""
    table = (SOURCE / "src/ir/ops/ops.inc").read_text()
    return set(re.findall(r"^PARE_OP\(\w+, (\w+)\)", table, re.M))


def count(cases, results, executor, keep):
    kept = [case for case in cases.values() if keep(case)]
    return sum(results[case.name, executor][0] == "pass" for case in kept), len(kept)


def fraction(pair):
    return f"{pair[0]} of {pair[1]} ({100 * pair[0] / max(1, pair[1]):.1f} %)"


def classes(known):
    return [("all tests", lambda c: True),
            ("core: ai.onnx, tensors, not an expansion", lambda c: c.domain == "" and c.tensors and not c.expanded),
            ("tensor tests of the operators that Pare has", lambda c: c.domain == "" and c.tensors and c.operator in known)]


def by_operator(cases, results):
    lines = ["| operator | tests | reference | runtime |", "|---|--:|--:|--:|"]
    groups = collections.defaultdict(list)
    for case in cases.values():
        groups[f"{case.domain}.{case.operator}" if case.domain else case.operator].append(case.name)
    for operator in sorted(groups):
        passed = [sum(results[name, e][0] == "pass" for name in groups[operator]) for e in EXECUTORS]
        lines.append(f"| {operator} | {len(groups[operator])} | {passed[0]} | {passed[1]} |")
    return lines


def failures(cases, results):
    groups = collections.defaultdict(lambda: collections.defaultdict(list))
    for (name, executor), (outcome, reason) in sorted(results.items()):
        if outcome != "pass":
            groups[reason_of(name, outcome, reason)][name].append(executor)
    lines = ["| tests | why | which |", "|--:|---|---|"]
    for reason, names in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        shown = [name if len(executors) == 2 else f"{name} ({executors[0]})" for name, executors in sorted(names.items())]
        lines.append(f"| {len(names)} | {reason.replace('|', '/')} | {', '.join(shown)} |")
    return lines


def crashes(results):
    return sorted({name for (name, _), (outcome, reason) in results.items() if outcome == "crash" or "not a Pare error" in reason})


def section(title, cases, results, known):
    lines = [f"## {title}", "", "| | reference | runtime |", "|---|---|---|"]
    for name, keep in classes(known):
        lines.append(f"| {name} | {fraction(count(cases, results, 'reference', keep))} | {fraction(count(cases, results, 'runtime', keep))} |")
    fallen = crashes(results)
    lines += ["", f"Crashes: {', '.join(fallen) or 'none'}.", "", "### What does not pass, and why", ""]
    lines += failures(cases, results) + ["", "### By operator", ""] + by_operator(cases, results) + [""]
    return lines


HEAD = """# Conformance

Generated by `make conformance`; do not edit. ONNX's own node tests, run twice: by the scalar reference (`ir::evaluate`) and by the
runtime as it ships. A test passes when type, shape and every element agree within ONNX's own tolerance (relative 1e-3, absolute 1e-7;
bfloat16 two units in the last place). A refusal is an error that names the node, exit code 4 of the command line. "(reference)" or
"(runtime)" behind a test: only that one does not pass.
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("program")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("collections", nargs="+")
    options = parser.parse_args()
    known, lines, broken = rows(), [HEAD], []
    for collection in options.collections:
        title, folder = collection.split("=", 1)
        cases = cases_of(pathlib.Path(folder))
        results = run(options.program, pathlib.Path(folder), cases)
        lines += section(title, cases, results, known)
        passed, total = count(cases, results, "runtime", classes(known)[2][1])
        print(f"{title}: {fraction((passed, total))} of the operators that Pare has, {len(crashes(results))} crashes", file=sys.stderr)
        if crashes(results) or passed < 0.97 * total:
            broken.append(title)
    options.out.write_text("\n".join(lines))
    if options.check and broken:
        raise SystemExit(f"below the bounds: {', '.join(broken)}")


if __name__ == "__main__":
    main()
