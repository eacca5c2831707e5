// Every lowering computes what the operator's scalar reference computes.
#include <cmath>
#include <set>

#include "ir/op.h"
#include "train/fixture.h"

namespace pare::train {
namespace {

/// One small model per operator and option, x [2, …] → "y".
struct ForwardCase {
  std::string name;
  ir::Model model;
  Dims input;
  float offset = 0;  ///< of the random input: positive for Log, Sqrt …
};

using Attributes = std::vector<std::pair<std::string, ir::AttributeValue>>;

/// x → op(x, more…) → Flatten → out.
ForwardCase simple(const std::string& name, const std::string& op, const Dims& dims, const Attributes& attributes = {},
                   const std::vector<std::pair<std::string, Tensor>>& more = {}, std::int64_t opset = 17,
                   float offset = 0) {
  Builder b(opset);
  b.input("x", dims);
  std::vector<std::string> inputs = {"x"};
  for (const auto& [input, tensor] : more) {
    if (tensor.defined()) b.constant(input, tensor);
    inputs.push_back(input);
  }
  b.node(op, inputs, {"y"}, attributes).node("Flatten", {"y"}, {"out"});
  return {name, b.build({"out"}), dims, offset};
}

/// A lowering may be there before its operator is; the model would then be refused.
bool known(std::string_view op) {
  for (const ir::Operator* row : ir::operators()) {
    if (row->op_type == op && row->domain.empty()) return true;
  }
  return false;
}

Tensor i64(const Ints& values) {
  return Tensor::from<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}
Tensor f32(const Dims& dims, const std::vector<float>& values) { return Tensor::from<float>(dims, values); }

void convolutions(std::vector<ForwardCase>& cases) {
  const Tensor w = random_tensor({6, 4, 3, 3}, 1), bias = random_tensor({6}, 2);
  const Dims image = {2, 4, 7, 8};
  cases.push_back(simple("conv", "Conv", image, {{"pads", Ints{1, 1, 1, 1}}}, {{"w", w}, {"b", bias}}));
  cases.push_back(simple("conv_stride_asymmetric", "Conv", image, {{"pads", Ints{0, 1, 2, 0}}, {"strides", Ints{2, 2}}},
                         {{"w", w}}));
  cases.push_back(simple("conv_dilated", "Conv", image, {{"dilations", Ints{2, 2}}}, {{"w", w}, {"b", bias}}));
  cases.push_back(simple("conv_same_upper", "Conv", image,
                         {{"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 3}}}, {{"w", w}}));
  cases.push_back(simple("conv_same_lower", "Conv", image,
                         {{"auto_pad", std::string("SAME_LOWER")}, {"strides", Ints{2, 2}}}, {{"w", w}}));
  cases.push_back(
      simple("conv_depthwise", "Conv", image, {{"group", std::int64_t{4}}}, {{"w", random_tensor({4, 1, 3, 3}, 3)}}));
  cases.push_back(simple("conv_1d", "Conv", {2, 3, 9}, {{"strides", Ints{2}}}, {{"w", random_tensor({5, 3, 3}, 4)}}));
}

void linears(std::vector<ForwardCase>& cases) {
  const Dims rows = {2, 5};
  cases.push_back(simple("gemm", "Gemm", rows, {{"transB", std::int64_t{1}}},
                         {{"w", random_tensor({3, 5}, 1)}, {"b", random_tensor({3}, 2)}}));
  cases.push_back(simple("gemm_scaled", "Gemm", rows, {{"alpha", 0.5F}, {"beta", 2.0F}},
                         {{"w", random_tensor({5, 3}, 1)}, {"b", random_tensor({2, 3}, 2)}}));
  cases.push_back(
      simple("gemm_transposed", "Gemm", {2, 4}, {{"transA", std::int64_t{1}}}, {{"w", random_tensor({2, 3}, 1)}}));
  cases.push_back(simple("matmul", "MatMul", {2, 3, 5}, {}, {{"w", random_tensor({5, 4}, 1)}}));
}

void normalizations(std::vector<ForwardCase>& cases) {
  const Tensor scale = random_tensor({3}, 1), bias = random_tensor({3}, 2), mean = random_tensor({3}, 3);
  const Tensor variance = f32({3}, {0.5F, 1, 2});
  cases.push_back(simple("batch_norm", "BatchNormalization", {2, 3, 4, 5}, {{"epsilon", 1e-3F}},
                         {{"s", scale}, {"b", bias}, {"m", mean}, {"v", variance}}));
  cases.push_back(simple("lrn", "LRN", {2, 7, 3, 3}, {{"size", std::int64_t{3}}, {"alpha", 0.3F}}));
  cases.push_back(simple("lrn_even", "LRN", {2, 7, 3, 3}, {{"size", std::int64_t{4}}, {"alpha", 0.3F}}));
  if (known("LayerNormalization")) {
    cases.push_back(simple("layer_norm", "LayerNormalization", {2, 4, 3}, {}, {{"s", scale}, {"b", bias}}));
  }
}

void activations(std::vector<ForwardCase>& cases) {
  const Dims dims = {2, 3, 4, 4};
  for (const char* op :
       {"Relu", "LeakyRelu", "Elu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Softplus", "Erf", "Exp", "Neg",
        "Abs", "Floor", "Ceil", "Reciprocal", "Identity", "GlobalAveragePool", "GlobalMaxPool"}) {
    cases.push_back(simple(op, op, dims));
  }
  cases.push_back(simple("Sqrt", "Sqrt", dims, {}, {}, 17, 6));
  cases.push_back(simple("Log", "Log", dims, {}, {}, 17, 6));
  cases.push_back(simple("gelu", "Gelu", dims, {}, {}, 20));
  cases.push_back(simple("gelu_tanh", "Gelu", dims, {{"approximate", std::string("tanh")}}, {}, 20));
  if (known("PRelu")) cases.push_back(simple("prelu", "PRelu", dims, {}, {{"slope", random_tensor({3, 1, 1}, 1)}}));
  cases.push_back(simple("clip", "Clip", dims, {}, {{"low", Tensor::scalar(-0.5F)}, {"high", Tensor::scalar(0.25F)}}));
  cases.push_back(simple("clip_low", "Clip", dims, {}, {{"low", Tensor::scalar(0.1F)}}));
  cases.push_back(simple("clip_old", "Clip", dims, {{"min", 0.0F}, {"max", 0.5F}}, {}, 10));
  cases.push_back(simple("dropout", "Dropout", dims, {}, {{"ratio", Tensor::scalar(0.3F)}}));
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    cases.push_back(simple(op, op, {2, 3, 4}, {{"axis", std::int64_t{1}}}));
    cases.push_back(simple(std::string(op) + "_old", op, {2, 3, 4}, {{"axis", std::int64_t{1}}}, {}, 11));
  }
}

void pools(std::vector<ForwardCase>& cases) {
  const Dims image = {2, 3, 7, 8};
  const std::pair<std::string, ir::AttributeValue> kernel{"kernel_shape", Ints{3, 3}}, stride{"strides", Ints{2, 2}};
  for (const char* op : {"MaxPool", "AveragePool"}) {
    const std::string name = op;
    cases.push_back(simple(name, op, image, {kernel, stride, {"pads", Ints{1, 1, 1, 1}}}));
    cases.push_back(simple(name + "_ceil", op, image, {kernel, stride, {"ceil_mode", std::int64_t{1}}}));
    cases.push_back(simple(name + "_asymmetric", op, image, {kernel, stride, {"pads", Ints{0, 1, 2, 1}}}));
    cases.push_back(simple(name + "_wide_pads", op, image, {kernel, stride, {"pads", Ints{2, 2, 2, 2}}}));
    cases.push_back(simple(name + "_same", op, image, {kernel, stride, {"auto_pad", std::string("SAME_UPPER")}}));
    cases.push_back(simple(name + "_1d", op, {2, 3, 9}, {{"kernel_shape", Ints{4}}}));
  }
  cases.push_back(simple("max_pool_dilated", "MaxPool", image, {kernel, {"dilations", Ints{2, 2}}}));
  cases.push_back(simple("average_include_pad", "AveragePool", image,
                         {kernel, stride, {"pads", Ints{1, 1, 1, 1}}, {"count_include_pad", std::int64_t{1}}}));
  cases.push_back(simple("average_include_asymmetric", "AveragePool", image,
                         {kernel, stride, {"pads", Ints{0, 1, 2, 1}}, {"count_include_pad", std::int64_t{1}}}));
}

void arithmetic(std::vector<ForwardCase>& cases) {
  const Dims dims = {2, 3, 4};
  const Tensor row = random_tensor({3, 1}, 1);
  for (const char* op : {"Add", "Sub", "Mul", "Div", "Min", "Max"})
    cases.push_back(simple(op, op, dims, {}, {{"c", row}}));
  cases.push_back(simple("Sum", "Sum", dims, {}, {{"c", row}, {"d", random_tensor({4}, 2)}}));
  cases.push_back(simple("Pow", "Pow", dims, {}, {{"c", Tensor::scalar(3.0F)}}));
  for (const char* op : {"Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"}) {
    Builder b;
    b.input("x", dims).constant("c", random_tensor({2, 3, 4}, 1)).constant("a", row);
    b.node(op, {"x", "c"}, {"m"})
        .node("Not", {"m"}, {"n"})
        .node("Or", {"m", "n"}, {"o"})
        .node("And", {"m", "o"}, {"k"});
    b.node("Where", {"k", "x", "a"}, {"y"}).node("Flatten", {"y"}, {"out"});
    cases.push_back({op, b.build({"out"}), dims});
  }
}

void shapes(std::vector<ForwardCase>& cases) {
  const Dims dims = {2, 3, 4};
  cases.push_back(simple("flatten", "Flatten", dims, {{"axis", std::int64_t{2}}}));
  cases.push_back(simple("reshape", "Reshape", dims, {}, {{"s", i64({0, -1, 2, 2})}}));
  cases.push_back(simple("transpose", "Transpose", dims, {{"perm", Ints{0, 2, 1}}}));
  cases.push_back(simple("transpose_reversed", "Transpose", dims));
  cases.push_back(simple("squeeze", "Squeeze", {2, 1, 4, 1}, {}, {{"a", i64({1, -1})}}));
  cases.push_back(simple("squeeze_old", "Squeeze", {2, 1, 4, 1}, {{"axes", Ints{1}}}, {}, 11));
  cases.push_back(simple("unsqueeze", "Unsqueeze", dims, {}, {{"a", i64({-1, 1})}}));
  cases.push_back(simple("concat", "Concat", dims, {{"axis", std::int64_t{1}}}, {{"c", random_tensor({2, 2, 4}, 1)}}));
  cases.push_back(simple("slice", "Slice", {2, 9, 4}, {},
                         {{"s", i64({1, -1})}, {"e", i64({8, -100})}, {"a", i64({1, 2})}, {"t", i64({3, -2})}}));
  cases.push_back(
      simple("slice_old", "Slice", {2, 9, 4}, {{"starts", Ints{1}}, {"ends", Ints{-2}}, {"axes", Ints{1}}}, {}, 9));
  cases.push_back(simple("pad", "Pad", dims, {}, {{"p", i64({0, 1, 2, 0, 0, 1})}, {"v", Tensor::scalar(0.5F)}}));
  cases.push_back(simple("pad_negative", "Pad", dims, {}, {{"p", i64({0, -1, 0, 0, 1, 0})}}));
  cases.push_back(simple("gather", "Gather", dims, {{"axis", std::int64_t{1}}},
                         {{"i", Tensor::from<std::int64_t>({2, 2}, {0, -1, 2, 1})}}));
  cases.push_back(simple("expand", "Expand", {2, 1, 4}, {}, {{"s", i64({3, 1})}}));
  Builder b;
  b.input("x", {2, 5, 4}).ints("sizes", {2, 3});
  b.node("Split", {"x", "sizes"}, {"p", "q"}, {{"axis", std::int64_t{1}}});
  b.node("Concat", {"q", "p"}, {"y"}, {{"axis", std::int64_t{1}}}).node("Flatten", {"y"}, {"out"});
  cases.push_back({"split", b.build({"out"}), {2, 5, 4}});
  for (const char* op : {"ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2"}) {
    cases.push_back(simple(op, op, {2, 3, 4}, {{"axes", Ints{1, -1}}, {"keepdims", std::int64_t{0}}}));
  }
  cases.back().model = simple("ReduceL2", "ReduceL2", {2, 3, 4}, {{"axes", Ints{-1}}}).model;
  cases.push_back(simple("reduce_mean_18", "ReduceMean", {2, 3, 4}, {}, {{"a", i64({2})}}, 18));
  cases.push_back(simple("ReduceSum", "ReduceSum", {2, 3, 4}, {}, {{"a", i64({1})}}));
}

/// A reshape to sizes that are computed from the input, as exporters write it.
void shape_chains(std::vector<ForwardCase>& cases) {
  Builder b;
  b.input("x", {2, 3, 4}).constant("zero", Tensor::from<std::int64_t>({1}, {0})).ints("minus", {-1});
  b.node("Shape", {"x"}, {"shape"})
      .node("Gather", {"shape", "zero"}, {"n"})
      .node("Cast", {"n"}, {"n64"}, {{"to", std::int64_t{7}}});
  b.node("Concat", {"n64", "minus"}, {"target"}, {{"axis", std::int64_t{0}}}).node("Reshape", {"x", "target"}, {"y"});
  // y [2, 12] · range [12] + size + halves [2] → all of the chain reaches the output
  b.node("Constant", {}, {"k"}, {{"value", Tensor::scalar<std::int64_t>(12)}});
  b.constant("start", Tensor::scalar<std::int64_t>(0))
      .constant("delta", Tensor::scalar<std::int64_t>(1))
      .ints("last", {1});
  b.node("Range", {"start", "k", "delta"}, {"range"}).node("Cast", {"range"}, {"range_f"}, {{"to", std::int64_t{1}}});
  b.node("Size", {"x"}, {"size"}).node("Cast", {"size"}, {"size_f"}, {{"to", std::int64_t{1}}});
  b.node("ConstantOfShape", {"n64"}, {"halves"}, {{"value", Tensor::from<float>({1}, {0.5F})}});
  b.node("Unsqueeze", {"halves", "last"}, {"column"}).node("Mul", {"y", "range_f"}, {"scaled"});
  b.node("Add", {"scaled", "size_f"}, {"sum"}).node("Add", {"sum", "column"}, {"out"});
  cases.push_back({"shape_chain", b.build({"out"}), {2, 3, 4}});
}

Tensor bytes(const Dims& dims, const std::vector<std::uint8_t>& values) {
  return Tensor::from<std::uint8_t>(dims, values);
}

void quantizers(std::vector<ForwardCase>& cases) {
  Builder b;
  b.input("x", {2, 3, 4}).constant("s", Tensor::scalar(0.05F)).constant("z", bytes({}, {100}));
  b.node("QuantizeLinear", {"x", "s", "z"}, {"q"})
      .node("DequantizeLinear", {"q", "s", "z"}, {"y"})
      .node("Flatten", {"y"}, {"out"});
  cases.push_back({"qdq_tensor", b.build({"out"}), {2, 3, 4}});
  Builder c;
  c.input("x", {2, 3, 4})
      .constant("s", f32({3}, {0.02F, 0.05F, 0.1F}))
      .constant("z", Tensor::from<std::int8_t>({3}, {0, -3, 9}));
  c.node("QuantizeLinear", {"x", "s", "z"}, {"q"}, {{"axis", std::int64_t{1}}});
  c.node("DequantizeLinear", {"q", "s", "z"}, {"y"}, {{"axis", std::int64_t{1}}}).node("Flatten", {"y"}, {"out"});
  cases.push_back({"qdq_axis", c.build({"out"}), {2, 3, 4}});
}

void resolutions(std::vector<ForwardCase>& cases) {
  const Dims image = {2, 4, 5, 6};
  const Tensor w = random_tensor({4, 3, 3, 2}, 1), bias = random_tensor({6}, 2), none(DType::kFloat32, {0});
  const std::pair<std::string, ir::AttributeValue> two{"group", std::int64_t{2}};
  cases.push_back(simple("conv_transpose", "ConvTranspose", image, {two}, {{"w", w}, {"b", bias}}));
  cases.push_back(simple("conv_transpose_pads", "ConvTranspose", image,
                         {two, {"strides", Ints{2, 3}}, {"pads", Ints{1, 0, 2, 1}}, {"dilations", Ints{2, 1}}},
                         {{"w", w}}));
  cases.push_back(simple("conv_transpose_rim", "ConvTranspose", image,
                         {two, {"strides", Ints{2, 3}}, {"output_padding", Ints{1, 2}}}, {{"w", w}, {"b", bias}}));
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* transform : {"half_pixel", "align_corners", "asymmetric"}) {
      cases.push_back(simple(std::string("resize_") + mode + "_" + transform, "Resize", image,
                             {{"mode", std::string(mode)}, {"coordinate_transformation_mode", std::string(transform)}},
                             {{"roi", none}, {"by", f32({4}, {1, 1, 0.6F, 2})}}));
    }
  }
  cases.push_back(simple("resize_antialias", "Resize", image,
                         {{"mode", std::string("linear")}, {"antialias", std::int64_t{1}}},
                         {{"roi", none}, {"by", none}, {"to", i64({2, 4, 3, 9})}}, 18));
  cases.push_back(simple("upsample", "Upsample", image, {}, {{"by", f32({4}, {1, 1, 2, 3})}}, 9));
  for (const char* mode : {"DCR", "CRD"}) {
    const Attributes how = {{"blocksize", std::int64_t{2}}, {"mode", std::string(mode)}};
    cases.push_back(simple(std::string("depth_to_space_") + mode, "DepthToSpace", {2, 8, 3, 5}, how));
    cases.push_back(simple(std::string("space_to_depth_") + mode, "SpaceToDepth", {2, 3, 4, 6}, how, {}, 28));
  }
}

void further_normalizations(std::vector<ForwardCase>& cases) {
  const Dims dims = {2, 6, 4, 4};
  const Tensor s = random_tensor({6}, 1), t = random_tensor({6}, 2);
  cases.push_back(simple("instance_norm", "InstanceNormalization", dims, {}, {{"s", s}, {"t", t}}));
  cases.push_back(
      simple("group_norm", "GroupNormalization", dims, {{"num_groups", std::int64_t{3}}}, {{"s", s}, {"t", t}}, 21));
  cases.push_back(simple("group_norm_old", "GroupNormalization", dims, {{"num_groups", std::int64_t{3}}},
                         {{"s", random_tensor({3}, 3)}, {"t", random_tensor({3}, 4)}}, 18));
  cases.push_back(
      simple("rms_norm", "RMSNormalization", dims, {{"axis", std::int64_t{2}}}, {{"s", random_tensor({4, 4}, 3)}}, 23));
}

void further_arithmetic(std::vector<ForwardCase>& cases) {
  const Dims dims = {2, 3, 4, 4};
  for (const char* op : {"Softsign", "Selu", "Celu", "Sin", "Cos", "Sign", "Round"})
    cases.push_back(simple(op, op, dims));
  cases.push_back(simple("mish", "Mish", dims, {}, {}, 18));
  cases.push_back(simple("mod", "Mod", dims, {{"fmod", std::int64_t{1}}}, {{"m", f32({3, 1, 1}, {0.5F, -0.7F, 1})}}));
  for (const char* op : {"ReduceL1", "ReduceSumSquare", "ReduceLogSumExp", "ReduceProd"})
    cases.push_back(simple(op, op, dims, {{"axes", Ints{1, -1}}, {"keepdims", std::int64_t{0}}}));
  Builder b;
  b.input("x", dims)
      .node("IsNaN", {"x"}, {"n"})
      .node("Cast", {"n"}, {"y"}, {{"to", std::int64_t{1}}})
      .node("Flatten", {"y"}, {"out"});
  cases.push_back({"is_nan", b.build({"out"}), dims});
}

void indices(std::vector<ForwardCase>& cases) {
  const Dims dims = {2, 3, 4};
  const auto at = [](const Dims& shape, const std::vector<std::int64_t>& v) {
    return Tensor::from<std::int64_t>(shape, v);
  };
  const Tensor places = at({2, 2, 4}, {0, 1, 2, 0, 1, -1, 0, 2, 2, 2, -3, 1, 0, 1, 2, 0});
  cases.push_back(simple("gather_elements", "GatherElements", dims, {{"axis", std::int64_t{1}}}, {{"i", places}}));
  cases.push_back(simple("gather_nd", "GatherND", dims, {}, {{"i", at({2, 2, 2}, {0, 1, 1, -1, 0, 0, 1, 2})}}));
  for (const char* how : {"none", "add"}) {
    const Attributes attributes = {{"axis", std::int64_t{1}}, {"reduction", std::string(how)}};
    const Tensor once = at({2, 2, 4}, {0, 1, 2, 0, 1, -1, 0, 2, 2, 2, -3, 1, 0, 1, 2, 0});
    cases.push_back(simple(std::string("scatter_elements_") + how, "ScatterElements", dims, attributes,
                           {{"i", once}, {"u", random_tensor({2, 2, 4}, 3)}}));
    cases.push_back(simple(std::string("scatter_nd_") + how, "ScatterND", dims, {{"reduction", std::string(how)}},
                           {{"i", at({3, 2}, {0, 1, 1, -1, 0, 0})}, {"u", random_tensor({3, 4}, 4)}}));
  }
  cases.push_back(simple("tile", "Tile", dims, {}, {{"n", i64({1, 3, 2})}}));
  for (const std::int64_t flag : {0, 1}) {
    const std::string suffix = flag != 0 ? "_back" : "";
    cases.push_back(simple("cumsum" + suffix, "CumSum", dims, {{"reverse", flag}, {"exclusive", flag}},
                           {{"a", Tensor::scalar(std::int64_t{1})}}));
    cases.push_back(
        simple("trilu" + suffix, "Trilu", dims, {{"upper", flag}}, {{"k", Tensor::scalar(std::int64_t{flag})}}));
  }
}

/// x [2, 5, 4]: two samples of five steps.
void recurrent(std::vector<ForwardCase>& cases, const std::string& op, std::int64_t gates, const std::string& direction,
               Attributes attributes = {}) {
  const std::int64_t directions = direction == "bidirectional" ? 2 : 1, hidden = 3;
  Builder b;
  b.input("x", {2, 5, 4}).constant("w", random_tensor({directions, gates * hidden, 4}, 1));
  b.constant("r", random_tensor({directions, gates * hidden, hidden}, 2))
      .constant("b", random_tensor({directions, 2 * gates * hidden}, 3));
  b.constant("h", random_tensor({directions, 2, hidden}, 4)).constant("c", random_tensor({directions, 2, hidden}, 5));
  attributes.insert(attributes.end(), {{"hidden_size", hidden}, {"direction", direction}});
  std::vector<std::string> inputs = {"s", "w", "r", "b", "", "h"}, outputs = {"y", "last"};
  if (op == "LSTM") {
    inputs.emplace_back("c");
    outputs.emplace_back("cell");
  }
  b.node("Transpose", {"x"}, {"s"}, {{"perm", Ints{1, 0, 2}}}).node(op, inputs, outputs, attributes);
  b.node("Transpose", {"y"}, {"yt"}, {{"perm", Ints{2, 0, 1, 3}}}).node("Flatten", {"yt"}, {"steps"});
  b.node("Transpose", {outputs.back()}, {"lt"}, {{"perm", Ints{1, 0, 2}}}).node("Flatten", {"lt"}, {"end"});
  b.node("Concat", {"steps", "end"}, {"out"}, {{"axis", std::int64_t{1}}});
  cases.push_back({op + "_" + direction, b.build({"out"}), {2, 5, 4}});
}

/// Operators that others define.
void expanded(std::vector<ForwardCase>& cases) {
  Builder s(24);
  s.input("x", {2, 5, 4}).node("Swish", {"x"}, {"y"}, {{"alpha", 0.7F}});
  cases.push_back({"Swish", s.build({"y"}), {2, 5, 4}});
  Builder a(23);  // grouped queries: 4 heads of 3 against 2
  a.input("x", {2, 5, 12}).constant("k", random_tensor({2, 7, 6}, 1)).constant("v", random_tensor({2, 7, 8}, 2));
  a.node("Attention", {"x", "k", "v"}, {"y"},
         {{"q_num_heads", std::int64_t{4}}, {"kv_num_heads", std::int64_t{2}}, {"softcap", 2.0F}});
  cases.push_back({"Attention", a.build({"y"}), {2, 5, 12}});
  Builder g(17);
  g.input("x", {2, 5, 4}).constant("b", random_tensor({4}, 3)).node("com.microsoft.BiasGelu", {"x", "b"}, {"y"});
  cases.push_back({"BiasGelu", g.build({"y"}), {2, 5, 4}});
}

/// Every row of lowerings.inc appears in at least one case (a test checks that).
std::vector<ForwardCase> forward_cases() {
  std::vector<ForwardCase> cases;
  convolutions(cases);
  linears(cases);
  normalizations(cases);
  activations(cases);
  pools(cases);
  arithmetic(cases);
  shapes(cases);
  shape_chains(cases);
  quantizers(cases);
  resolutions(cases);
  further_normalizations(cases);
  further_arithmetic(cases);
  indices(cases);
  expanded(cases);
  for (const char* direction : {"forward", "reverse", "bidirectional"}) {
    recurrent(cases, "LSTM", 4, direction);
    recurrent(cases, "GRU", 3, direction, {{"linear_before_reset", std::int64_t{1}}});
    recurrent(cases, "RNN", 1, direction);
  }
  return cases;
}

class Forward : public testing::TestWithParam<std::size_t> {};

const std::vector<ForwardCase>& all_cases() {
  static const std::vector<ForwardCase> cases = forward_cases();
  return cases;
}

TEST_P(Forward, MatchesTheReference) {
  const ForwardCase& test = all_cases()[GetParam()];
  const NamedTensors inputs = {{"x", random_tensor(test.input, 50, 1, test.offset)}};
  const NamedTensors expected = ir::evaluate(test.model, inputs);
  const NamedTensors got = factory().create(test.model, nullptr, plain_options())->forward(inputs);
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [name, reference] : expected) {
    ASSERT_EQ(got.at(name).dims(), reference.dims());
    const auto a = got.at(name).data<float>();
    const auto b = reference.data<float>();
    for (std::size_t i = 0; i < a.size(); ++i)
      ASSERT_NEAR(a[i], b[i], 1e-5 + 1e-5 * std::abs(b[i])) << name << "[" << i << "]";
  }
}

INSTANTIATE_TEST_SUITE_P(Operators, Forward, testing::Range<std::size_t>(0, forward_cases().size()),
                         [](const auto& info) { return all_cases()[info.param].name; });

TEST(ForwardCases, CoverEveryLowering) {
  std::set<std::string> covered;
  for (const ForwardCase& test : all_cases()) {
    for (const ir::NodeId id : test.model.graph.nodes()) covered.insert(test.model.graph.node(id).op_type);
  }
#define PARE_TRAIN_LOWERING(file, op, function) EXPECT_EQ(covered.contains(#op), known(#op)) << #op;
#include "train/lowerings.inc"
#undef PARE_TRAIN_LOWERING
}

}  // namespace
}  // namespace pare::train
