"""Cases of the differential grid: models of one operator (or one quantized operator) at odd shapes, strides, pads, dilations, groups,
zero points and broadcasts. Every family is an endless seeded sequence, so that a longer run begins with the shorter one's cases."""
import dataclasses
import itertools

import numpy as np
from onnx import TensorProto, helper, numpy_helper

ELEMENT = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.int8): TensorProto.INT8}


@dataclasses.dataclass
class Case:
    label: str
    model: object
    inputs: dict
    quantized: bool = False


class Sketch:
    """A model that grows; inputs and initializers are given as arrays."""

    def __init__(self, opset=17):
        self.opset, self.nodes, self.initializers, self.inputs = opset, [], [], {}

    def input(self, name, array):
        self.inputs[name] = array
        return name

    def constant(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, inputs, out, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [out], name=out, **{k: v for k, v in attributes.items() if v is not None}))
        return out

    def case(self, label, out, element=TensorProto.FLOAT, quantized=False):
        ports = [helper.make_tensor_value_info(n, ELEMENT[a.dtype], a.shape) for n, a in self.inputs.items()]
        graph = helper.make_graph(self.nodes, "g", ports, [helper.make_tensor_value_info(out, element, None)], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        return Case(label, model, self.inputs, quantized)

    def quantized(self, name, x, scale, zero):
        """x → QuantizeLinear → DequantizeLinear."""
        s, z = self.constant(f"{name}_scale", np.float32(scale)), self.constant(f"{name}_zero", zero)
        return self.node("DequantizeLinear", [self.node("QuantizeLinear", [x, s, z], f"{name}_q"), s, z], f"{name}_dq")

    def quantized_weight(self, name, rng, dims, axis, per_channel):
        """A random int8 constant → DequantizeLinear."""
        q = self.constant(name, rng.integers(-127, 128, dims).astype(np.int8))
        count = dims[axis] if per_channel else ()
        s = self.constant(f"{name}_scale", rng.uniform(0.002, 0.02, count).astype(np.float32))
        z = self.constant(f"{name}_zero", np.zeros(count, np.int8))
        return self.node("DequantizeLinear", [q, s, z], f"{name}_dq", axis=axis if per_channel else None)

    def quantized_output(self, label, x, bound, zero):
        """The quantized result, whose range covers ±bound: what one unit in the last place means."""
        s, z = self.constant("y_scale", np.float32(2 * bound / 255)), self.constant("y_zero", zero)
        element = ELEMENT[zero.dtype]
        return self.case(label, self.node("QuantizeLinear", [x, s, z], "y"), element, quantized=True)


def pick(rng, *options):
    return options[rng.integers(len(options))]


def normal(rng, dims):
    return rng.standard_normal(dims).astype(np.float32)


def zero_point(rng):
    return pick(rng, np.uint8(0), np.uint8(128), np.uint8(rng.integers(1, 255)), np.int8(0), np.int8(rng.integers(-100, 100)))


def window(rng, rank, kernels=(1, 2, 3, 4, 5)):
    """kernel, strides, dilations, pads or auto_pad, and the smallest sizes that give an output."""
    kernel = [int(pick(rng, *kernels)) for _ in range(rank)]
    strides = [int(pick(rng, 1, 1, 2, 3)) for _ in range(rank)]
    dilations = [int(pick(rng, 1, 1, 2)) for _ in range(rank)]
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    pads = [int(rng.integers(0, k)) for k in kernel + kernel]
    auto = pick(rng, "NOTSET", "NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID") if max(dilations) == 1 else "NOTSET"
    sizes = [e + int(rng.integers(0, 9)) for e in extent]
    shape = {"kernel_shape": kernel, "strides": strides, "dilations": dilations}
    shape |= {"pads": pads} if auto == "NOTSET" else {"auto_pad": auto}
    return sizes, shape


def channels(rng):
    """input channels, output channels, groups: dense, grouped, depthwise, depthwise with a multiplier."""
    groups = pick(rng, 1, 1, 2, 3, 8)
    c_in = groups * pick(rng, 1, 1, 3, 4, 7)
    return c_in, groups * pick(rng, 1, 1, 2, 5), groups


def convolutions(rng):
    rank = int(pick(rng, 1, 2, 2, 2, 3))
    sizes, attributes = window(rng, rank)
    c_in, c_out, groups = channels(rng)
    s = Sketch()
    inputs = [s.input("x", normal(rng, (int(rng.integers(1, 4)), c_in, *sizes))),
              s.constant("w", normal(rng, (c_out, c_in // groups, *attributes["kernel_shape"])))]
    if rng.integers(2):
        inputs.append(s.constant("b", normal(rng, c_out)))
    return s.case(f"Conv {s.inputs['x'].shape} to {c_out}, group {groups}, {attributes}", s.node("Conv", inputs, "y", group=groups, **attributes))


def products(rng):
    m, k, n = (int(pick(rng, 1, 2, 3, 7, 16, 17, 33, 64)) for _ in range(3))
    s = Sketch()
    if rng.integers(3) == 0:
        ta, tb = int(rng.integers(2)), int(rng.integers(2))
        inputs = [s.input("a", normal(rng, (k, m) if ta else (m, k))), s.constant("b", normal(rng, (n, k) if tb else (k, n)))]
        c = pick(rng, None, (n,), (1, n), (m, 1), (m, n), ())
        if c is not None:
            inputs.append(s.constant("c", normal(rng, c)))
        alpha, beta = float(pick(rng, 1, 0.5)), float(pick(rng, 1, 2))
        return s.case(f"Gemm {m}x{k}x{n} trans {ta}{tb} c {c}", s.node("Gemm", inputs, "y", transA=ta, transB=tb, alpha=alpha, beta=beta))
    batch = pick(rng, (), (3,), (2, 3), (2, 1, 3))
    left = pick(rng, batch, batch[1:], tuple(1 for _ in batch))
    a, b = pick(rng, ((*batch, m, k), (*left, k, n)), ((*left, m, k), (*batch, k, n)), ((k,), (*batch, k, n)), ((*batch, m, k), (k,)))
    second = s.constant("b", normal(rng, b)) if rng.integers(2) else s.input("b", normal(rng, b))
    return s.case(f"MatMul {a} by {b}", s.node("MatMul", [s.input("a", normal(rng, a)), second], "y"))


def pools(rng):
    op = pick(rng, "MaxPool", "AveragePool", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
    rank = int(pick(rng, 1, 2, 2, 2, 3))
    sizes, attributes = window(rng, rank, (2, 3, 5))
    dims = (int(rng.integers(1, 4)), int(pick(rng, 1, 3, 8, 19)), *sizes)
    s = Sketch()
    if op.startswith("Global"):
        attributes = {}
    else:
        attributes["ceil_mode"] = int(rng.integers(2)) if "auto_pad" not in attributes else 0
        if op == "AveragePool":
            del attributes["dilations"]
            attributes["count_include_pad"] = int(rng.integers(2))
            attributes["ceil_mode"] = 0  # ONNX Runtime's own average of a window past the end is disputed
            if any(a > b for a, b in zip(attributes["strides"], attributes["kernel_shape"])):
                attributes.pop("auto_pad", None)  # SAME would be a negative padding, which ONNX Runtime refuses
    return s.case(f"{op} {dims} {attributes}", s.node(op, [s.input("x", normal(rng, dims))], "y", **attributes))


def resizes(rng):
    mode = pick(rng, "nearest", "nearest", "linear", "linear", "cubic")
    coordinates = pick(rng, "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
    dims = (int(rng.integers(1, 3)), int(pick(rng, 1, 3, 5)), int(rng.integers(2, 12)), int(rng.integers(2, 12)))
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        attributes["nearest_mode"] = pick(rng, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    if mode == "cubic":
        attributes["cubic_coeff_a"] = float(pick(rng, -0.75, -0.5))
    s = Sketch(18)
    x = s.input("x", normal(rng, dims))
    # Where the length itself counts, ONNX's reference means the fractional one that scales give, ONNX Runtime the rounded one.
    if rng.integers(2) or coordinates in ("align_corners", "pytorch_half_pixel"):
        sizes = [*dims[:2], *(int(rng.integers(1, 25)) for _ in range(2))]
        return s.case(f"Resize {dims} to {sizes} {attributes}", s.node("Resize", [x, "", "", s.constant("sizes", np.array(sizes))], "y", **attributes))
    scales = np.array([1, 1, pick(rng, 0.5, 0.75, 1, 2, 3), pick(rng, 0.5, 1, 2, 2.5)], np.float32)
    return s.case(f"Resize {dims} by {scales} {attributes}", s.node("Resize", [x, "", s.constant("scales", scales)], "y", **attributes))


def broadcasts(rng):
    op = pick(rng, "Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "PRelu")
    rank = int(rng.integers(1, 6))
    full = [int(pick(rng, 1, 2, 3, 5, 16, 17)) for _ in range(rank)]
    part = [d if rng.integers(3) else 1 for d in full][int(rng.integers(0, rank)):]
    a, b = (full, part) if op == "PRelu" or rng.integers(2) else (part, full)
    s = Sketch()
    left, right = normal(rng, a), normal(rng, b)
    if op == "Div":
        right = np.where(np.abs(right) < 0.1, np.float32(0.5), right)
    if op == "Pow":
        left = np.abs(left) + np.float32(0.1)
    second = s.constant("b", right) if rng.integers(2) else s.input("b", right)
    return s.case(f"{op} {a} with {b}", s.node(op, [s.input("a", left), second], "y"))


def quantized_convolutions(rng):
    rank = int(pick(rng, 1, 2, 2, 2))
    sizes, attributes = window(rng, rank)
    c_in, c_out, groups = channels(rng)
    s, zero = Sketch(), zero_point(rng)
    x = s.quantized("x", s.input("image", normal(rng, (int(rng.integers(1, 3)), c_in, *sizes))), 0.03, zero)
    dims = (c_out, c_in // groups, *attributes["kernel_shape"])
    w = s.quantized_weight("w", rng, dims, 0, bool(rng.integers(2)))
    inputs = [x, w] + ([s.constant("b", normal(rng, c_out))] if rng.integers(2) else [])
    y = s.node("Conv", inputs, "conv", group=groups, **attributes)
    label = f"QDQ Conv {sizes} {c_in} to {c_out}, group {groups}, zero {zero.dtype} {zero}, {attributes}"
    return s.quantized_output(label, y, 1 + 1.5 * np.sqrt(np.prod(dims[1:])), zero_point(rng))


def quantized_products(rng):
    m, k, n = (int(pick(rng, 1, 3, 7, 16, 17, 33, 64)) for _ in range(3))
    batch, s, zero = pick(rng, (), (2,), (2, 3)), Sketch(), zero_point(rng)
    a = s.quantized("x", s.input("a", normal(rng, (*batch, m, k))), 0.03, zero)
    y = s.node("MatMul", [a, s.quantized_weight("w", rng, (k, n), 1, bool(rng.integers(2)))], "product")
    if rng.integers(2):
        y = s.node("Add", [y, s.constant("b", normal(rng, n))], "sum")
    return s.quantized_output(f"QDQ MatMul {(*batch, m, k)} by {(k, n)}, zero {zero.dtype} {zero}", y, 1 + 1.5 * np.sqrt(k), zero_point(rng))


def quantized_elementwise(rng):
    op = pick(rng, "Add", "Mul", "AveragePool", "MaxPool", "GlobalAveragePool", "Relu", "Sigmoid")
    dims, s = (2, int(pick(rng, 1, 3, 17, 32)), int(rng.integers(3, 9)), int(rng.integers(3, 9))), Sketch()
    x, zero = s.quantized("x", s.input("a", normal(rng, dims)), 0.03, zero_point(rng)), zero_point(rng)
    if op in ("Add", "Mul"):
        other = pick(rng, dims, (1, dims[1], 1, 1), dims[2:])
        y = s.node(op, [x, s.quantized("z", s.input("b", normal(rng, other)), 0.02, zero_point(rng))], "r")
        return s.quantized_output(f"QDQ {op} {dims} with {other}", y, 6, zero)
    attributes = {"kernel_shape": [2, 3], "strides": [1, 2]} if op in ("AveragePool", "MaxPool") else {}
    return s.quantized_output(f"QDQ {op} {dims}", s.node(op, [x], "r", **attributes), 4, zero)


FAMILIES = {f.__name__: f for f in (convolutions, products, pools, resizes, broadcasts, quantized_convolutions, quantized_products,
                                    quantized_elementwise)}


def cases(family, count, seed=20):
    rng = np.random.default_rng([seed, list(FAMILIES).index(family)])
    return [FAMILIES[family](rng) for _ in itertools.repeat(None, count)]
