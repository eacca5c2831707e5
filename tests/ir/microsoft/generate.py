"""Writes the cases of this folder: one node each of ONNX Runtime's com.microsoft operators (and operators that no ONNX
node test of the packages covers), with the outputs that ONNX Runtime gives. Run it by hand after a change, in an
environment with tests/requirements.txt: python tests/ir/microsoft/generate.py"""
import pathlib
import shutil

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
MS = "com.microsoft"
RNG = np.random.default_rng(7)


def f32(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def u8(*shape):
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def s8(*shape):
    """Of 7 bits: ONNX Runtime saturates sums of two products on processors without VNNI."""
    return RNG.integers(-63, 64, shape, dtype=np.int8)


def one(value, dtype=np.float32):
    return np.array(value, dtype=dtype)


def case(name, op, inputs, outputs=1, domain=MS, model_opset=17, fixed=(), types=None, **attributes):
    """inputs: arrays, or None where omitted; fixed: slots stored as initializers."""
    names = [f"x{i}" if x is not None else "" for i, x in enumerate(inputs)]
    wanted = outputs if isinstance(outputs, list) else list(range(outputs))
    out_names = [f"y{i}" if i in wanted else "" for i in range(max(wanted) + 1)]
    node = helper.make_node(op, names, out_names, domain=domain, name="the_node", **attributes)
    graph = helper.make_graph(
        [node], name,
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
         for i, (n, x) in enumerate(zip(names, inputs)) if x is not None and i not in fixed],
        [helper.make_empty_tensor_value_info(n) for n in out_names if n],
        [numpy_helper.from_array(inputs[i], names[i]) for i in fixed])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", model_opset), helper.make_opsetid(MS, 1)],
                              ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {n: x for i, (n, x) in enumerate(zip(names, inputs)) if x is not None and i not in fixed}
    results = session.run(None, feeds)
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(r.dtype), r.shape)
        for n, r in zip([n for n in out_names if n], results))
    model.graph.CopyFrom(graph)
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    for kind, arrays in (("input", list(feeds.values())), ("output", results)):
        for i, array in enumerate(arrays):
            (data / f"{kind}_{i}.pb").write_bytes(numpy_helper.from_array(array).SerializeToString())


Q = lambda scale, zero, dtype=np.uint8: (one(scale), one(zero, dtype))  # noqa: E731

# Scales are powers of two where sums and products could otherwise meet a tie from two sides.
case("qlinear_add", "QLinearAdd", [u8(2, 3, 4), *Q(1 / 64, 100), u8(3, 1), *Q(1 / 32, 30), *Q(1 / 16, 90)])
case("qlinear_mul", "QLinearMul", [s8(2, 3, 4), *Q(1 / 64, 1, np.int8), s8(4), *Q(1 / 32, 0, np.int8), *Q(1 / 64, -3, np.int8)])
case("qlinear_sigmoid", "QLinearSigmoid", [u8(2, 9), *Q(0.05, 128), *Q(1 / 256, 0)])
case("qlinear_leaky_relu", "QLinearLeakyRelu", [u8(2, 9), *Q(0.05, 128), *Q(0.03, 20)], alpha=0.1)
case("qlinear_softmax", "QLinearSoftmax", [u8(3, 7), *Q(0.05, 128), *Q(1 / 256, 0)], axis=-1, opset=13)
case("qlinear_concat", "QLinearConcat", [*Q(0.05, 10), u8(2, 3), *Q(0.05, 10), u8(2, 2), *Q(0.02, 100)],
     fixed=(0, 1, 3, 4, 6, 7), axis=1)
case("qlinear_where", "QLinearWhere", [RNG.random((2, 5)) > 0.5, u8(2, 5), *Q(0.05, 10), u8(5), *Q(0.02, 100), *Q(0.06, 30)],
     fixed=(2, 3, 5, 6, 7, 8))
case("qlinear_global_average_pool", "QLinearGlobalAveragePool", [u8(2, 3, 5, 4), *Q(0.05, 10), *Q(0.02, 70)])
case("qlinear_global_average_pool_nhwc", "QLinearGlobalAveragePool", [u8(2, 5, 4, 3), *Q(0.05, 10), *Q(0.02, 70)],
     channels_last=1)
case("qlinear_average_pool", "QLinearAveragePool", [u8(1, 3, 6, 5), *Q(0.05, 10), *Q(0.04, 20)], kernel_shape=[3, 3],
     strides=[2, 2], pads=[1, 1, 1, 1])
case("qlinear_conv_per_channel", "QLinearConv",
     [u8(1, 3, 6, 6), *Q(0.02, 120), s8(4, 3, 3, 3), np.array([0.01, 0.02, 0.005, 0.03], np.float32), np.zeros(4, np.int8),
      *Q(0.1, 128), RNG.integers(-500, 500, 4, dtype=np.int32)], domain="", pads=[1, 1, 1, 1], strides=[2, 2])
case("qlinear_matmul_per_column", "QLinearMatMul",
     [u8(5, 8), *Q(0.02, 120), s8(8, 4), np.array([0.01, 0.02, 0.005, 0.03], np.float32), np.zeros(4, np.int8),
      *Q(0.1, 128)], domain="")
case("qgemm", "QGemm", [u8(5, 8), *Q(0.02, 120), s8(4, 8), np.array([0.01, 0.02, 0.005, 0.03], np.float32), np.zeros(4, np.int8),
                        RNG.integers(-500, 500, 4, dtype=np.int32), *Q(0.1, 128)], transB=1)
case("qgemm_to_float", "QGemm", [u8(5, 8), *Q(0.02, 120), s8(8, 4), *Q(0.01, 0, np.int8)], alpha=0.5)
case("matmul_integer_per_column", "MatMulInteger", [u8(5, 8), s8(8, 4), one(120, np.uint8), s8(4)], domain="")
case("matmul_integer_to_float", "MatMulIntegerToFloat",
     [u8(5, 8), s8(8, 4), one(0.02), np.array([0.01, 0.02, 0.005, 0.03], np.float32), one(120, np.uint8), np.zeros(4, np.int8),
      f32(4)])
case("dynamic_quantize_matmul", "DynamicQuantizeMatMul",
     [f32(2, 5, 8), s8(8, 4), np.array([0.01, 0.02, 0.005, 0.03], np.float32), np.zeros(4, np.int8), f32(4)])
case("quantize_linear", "QuantizeLinear", [f32(2, 9), *Q(0.02, 100)])
case("quantize_linear_16_bits", "QuantizeLinear", [f32(2, 9), *Q(0.0001, 30000, np.uint16)])
case("dequantize_linear", "DequantizeLinear",
     [s8(3, 4), np.array([0.1, 0.2, 0.3], np.float32), np.array([1, 2, 3], np.int8)], axis=0)
case("gelu", "Gelu", [f32(3, 5)])
case("bias_gelu", "BiasGelu", [f32(2, 3, 5), f32(5)])
case("fast_gelu", "FastGelu", [f32(2, 3, 5), f32(5)])
case("fast_gelu_without_bias", "FastGelu", [f32(2, 3, 5)])
case("quick_gelu", "QuickGelu", [f32(3, 5)], alpha=1.5)
for activation, params in (("Relu", None), ("LeakyRelu", [0.3]), ("Clip", [-0.5, 0.5]), ("HardSigmoid", [0.3, 0.4])):
    extra = {} if params is None else {"activation_params": params}
    case(f"fused_conv_{activation.lower()}", "FusedConv", [f32(1, 2, 5, 5), f32(3, 2, 3, 3), f32(3)], activation=activation,
         **extra)
case("fused_conv_with_addend", "FusedConv", [f32(1, 2, 5, 5), f32(3, 2, 3, 3), f32(3), f32(1, 3, 3, 3)], activation="Relu")
case("fused_gemm", "FusedGemm", [f32(4, 3), f32(5, 4), f32(5)], transA=1, transB=1, alpha=0.5, activation="LeakyRelu",
     activation_alpha=0.2)
case("fused_matmul", "FusedMatMul", [f32(2, 4, 3), f32(2, 5, 4)], transA=1, transB=1, alpha=0.25)
case("fused_matmul_batch", "FusedMatMul", [f32(3, 2, 4), f32(2, 4, 5)], transBatchA=1)
case("skip_layer_normalization", "SkipLayerNormalization", [f32(2, 3, 8), f32(2, 3, 8), f32(8), f32(8), f32(8)],
     outputs=[0, 3], epsilon=1e-5)
case("skip_layer_normalization_short", "SkipLayerNormalization", [f32(2, 3, 8), f32(2, 3, 8), f32(8)])
case("skip_simplified_layer_normalization", "SkipSimplifiedLayerNormalization", [f32(2, 3, 8), f32(2, 3, 8), f32(8)],
     outputs=[0, 3], epsilon=1e-5)
case("simplified_layer_normalization", "SimplifiedLayerNormalization", [f32(2, 3, 8), f32(8)], domain="", axis=-1,
     epsilon=1e-5)
ids = RNG.integers(0, 11, (2, 4), dtype=np.int32)
case("embed_layer_normalization", "EmbedLayerNormalization",
     [ids, (ids % 2).astype(np.int32), f32(11, 8), f32(6, 8), f32(2, 8), f32(8), f32(8),
      np.array([[1, 1, 1, 0], [1, 1, 0, 0]], np.int32)], outputs=2, epsilon=1e-6)
case("embed_layer_normalization_positions", "EmbedLayerNormalization",
     [ids, None, f32(11, 8), f32(6, 8), None, f32(8), f32(8), None, RNG.integers(0, 6, (2, 4), dtype=np.int32)],
     outputs=[0, 2])


def nbits(name, bits, k, n, block, zero=False, bias=False):
    blocks = -(-k // block)
    inputs = [f32(3, k), u8(n, blocks, block * bits // 8), RNG.random(n * blocks).astype(np.float32) / 10,
              u8(n * -(-blocks * bits // 8)) if zero else None, None, f32(n) if bias else None]
    while inputs[-1] is None:
        inputs.pop()
    case(name, "MatMulNBits", inputs, fixed=[i for i in range(1, len(inputs)) if inputs[i] is not None], K=k, N=n, bits=bits,
         block_size=block)


nbits("matmul_4_bits", 4, 64, 5, 32)
nbits("matmul_4_bits_zero_points", 4, 80, 3, 16, zero=True, bias=True)
nbits("matmul_8_bits", 8, 32, 4, 16, zero=True)

NEW = dict(domain="", model_opset=23)
case("attention", "Attention", [f32(2, 3, 4, 8), f32(2, 3, 6, 8), f32(2, 3, 6, 5)], **NEW)
case("attention_bool_mask", "Attention", [f32(2, 3, 4, 8), f32(2, 3, 6, 8), f32(2, 3, 6, 8), RNG.random((4, 6)) > 0.3],
     softcap=1.5, **NEW)
case("attention_grouped_flat", "Attention", [f32(2, 4, 32), f32(2, 4, 16), f32(2, 4, 16), f32(2, 1, 4, 4)], q_num_heads=4,
     kv_num_heads=2, is_causal=1, scale=0.3, **NEW)
case("attention_past", "Attention", [f32(2, 3, 2, 8), f32(2, 3, 2, 8), f32(2, 3, 2, 8), f32(2, 6), f32(2, 3, 4, 8),
                                     f32(2, 3, 4, 8)], outputs=3, **NEW)
case("rotary_embedding", "RotaryEmbedding", [f32(2, 3, 4, 8), f32(10, 4), f32(10, 4), RNG.integers(0, 10, (2, 4))], **NEW)
case("rotary_embedding_flat", "RotaryEmbedding", [f32(2, 4, 24), f32(2, 4, 2), f32(2, 4, 2)], interleaved=1, num_heads=3,
     rotary_embedding_dim=4, **NEW)

LSTM = dict(domain="", hidden_size=4)
case("lstm_bidirectional", "LSTM",
     [f32(5, 3, 2), f32(2, 16, 2), f32(2, 16, 4), f32(2, 32), np.array([5, 2, 4], np.int32), f32(2, 3, 4), f32(2, 3, 4),
      f32(2, 12)], outputs=3, direction="bidirectional", clip=0.9, **LSTM)
case("lstm_activations", "LSTM", [f32(4, 2, 3), f32(1, 16, 3), f32(1, 16, 4)], outputs=3, direction="reverse",
     activations=["HardSigmoid", "LeakyRelu", "ScaledTanh"], activation_alpha=[0.3, 0.2, 1.1], activation_beta=[0.4, 0.7],
     **LSTM)
case("lstm_coupled", "LSTM", [f32(4, 2, 3), f32(1, 16, 3), f32(1, 16, 4)], outputs=2, input_forget=1, **LSTM)
case("gru_linear_before_reset", "GRU",
     [f32(5, 3, 2), f32(2, 12, 2), f32(2, 12, 4), f32(2, 24), np.array([5, 1, 4], np.int32), f32(2, 3, 4)], outputs=2,
     direction="bidirectional", linear_before_reset=1, **LSTM)
case("gru_reverse", "GRU", [f32(5, 3, 2), f32(1, 12, 2), f32(1, 12, 4), f32(1, 24)], outputs=2, direction="reverse", clip=0.5,
     **LSTM)
case("rnn_bidirectional", "RNN",
     [f32(5, 3, 2), f32(2, 4, 2), f32(2, 4, 4), f32(2, 8), np.array([5, 3, 4], np.int32)], outputs=2,
     direction="bidirectional", activations=["Relu", "Softsign"], **LSTM)

case("qembed_layer_normalization", "QEmbedLayerNormalization",
     [RNG.integers(0, 9, (2, 4)).astype(np.int32), RNG.integers(0, 2, (2, 4)).astype(np.int32), u8(9, 8), u8(6, 8), u8(2, 8),
      u8(8), u8(8), np.array([[1, 1, 1, 0], [1, 1, 1, 1]], dtype=np.int32), *map(one, (0.01, 0.02, 0.015, 0.01, 0.3)),
      *(one(z, np.uint8) for z in (120, 130, 128, 10, 128))], outputs=2)
lengths = lambda *values: np.array(values, dtype=np.int32)  # noqa: E731
QKV = [f32(2, 5, 12), f32(12, 24) / 4, f32(24) + 3]  # far from 0, where sums cancel
case("ms_attention", "Attention", QKV, num_heads=2)
case("ms_attention_mask", "Attention", [*QKV, np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=np.int32)], num_heads=2)
case("ms_attention_lengths", "Attention", [*QKV, lengths(3, 5)], num_heads=2)
case("ms_attention_ranges", "Attention", [*QKV, lengths(4, 5, 1, 0)], num_heads=2)
case("ms_attention_causal_bias", "Attention", [*QKV, RNG.integers(0, 2, (2, 5, 5)).astype(np.int32) | np.eye(5, dtype=np.int32),
                                               None, f32(2, 2, 5, 5)], num_heads=2, unidirectional=1, scale=0.3)
case("ms_attention_past", "Attention", [*QKV, None, f32(2, 2, 2, 3, 4)], outputs=2, num_heads=2, unidirectional=1)
case("ms_attention_sizes", "Attention", QKV, num_heads=2, qkv_hidden_sizes=[8, 8, 8],
     mask_filter_value=-50.0)
case("multi_head_attention", "MultiHeadAttention", [f32(2, 4, 8), f32(2, 6, 8), f32(2, 6, 8)], num_heads=2)
case("multi_head_attention_bias", "MultiHeadAttention",
     [f32(2, 4, 8), f32(2, 6, 8), f32(2, 6, 8), f32(24), np.array([[1, 1, 1, 1, 0, 0], [1] * 6], dtype=np.int32),
      f32(1, 2, 4, 6)], num_heads=2)
case("multi_head_attention_past", "MultiHeadAttention",
     [f32(2, 2, 8), f32(2, 2, 8), f32(2, 2, 8), None, None, None, f32(2, 2, 3, 4), f32(2, 2, 3, 4)], outputs=3,
     num_heads=2, unidirectional=1)
case("qattention", "QAttention", [u8(2, 5, 12), s8(12, 24), f32(24), one(0.01), one(0.02), lengths(3, 5), one(120, np.uint8),
                                  one(0, np.int8)], fixed=(1,), num_heads=2)
