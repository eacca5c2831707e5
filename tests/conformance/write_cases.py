"""Writes the node tests of the installed onnx package as folders: model.onnx, test_data_set_0/input_0.pb … output_0.pb.

usage: write_cases.py FOLDER

Newer packages carry these tests as Python code alone. The layout is that of Debian's libonnx-testdata.
"""
import pathlib
import shutil
import sys

import onnx
from onnx import numpy_helper
from onnx.backend.test.case import node


def proto_of(value, type_proto, name):
    """The value as the protobuf message of its declared type."""
    if isinstance(value, onnx.TensorProto):
        return value
    kind = type_proto.WhichOneof("value")
    make = {"sequence_type": numpy_helper.from_list, "optional_type": numpy_helper.from_optional, "map_type": numpy_helper.from_dict}
    return make.get(kind, numpy_helper.from_array)(value, name)


def write(case, root):
    folder = root / case.name
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    inputs, outputs = case.data_sets[0]
    for stem, values, ports in (("input", inputs, case.model.graph.input), ("output", outputs, case.model.graph.output)):
        for i, (value, port) in enumerate(zip(values, ports)):
            (data / f"{stem}_{i}.pb").write_bytes(proto_of(value, port.type, port.name).SerializeToString())


def main():
    root = pathlib.Path(sys.argv[1])
    shutil.rmtree(root, ignore_errors=True)
    cases = node.collect_testcases()
    for case in cases:
        write(case, root)
    (root / "version").write_text(onnx.__version__)
    print(f"{len(cases)} node tests of onnx {onnx.__version__} in {root}", file=sys.stderr)


if __name__ == "__main__":
    main()
