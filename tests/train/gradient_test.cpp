// Gradients against central differences, one operator family at a time: the operator sits between a trained layer and
// the loss, so that its input gradient and its own parameters' are both seen.
#include <algorithm>
#include <cmath>

#include "train/fixture.h"

namespace pare::train {
namespace {

struct GradientCase {
  std::string name;
  ir::Model model;
};

using Attributes = std::vector<std::pair<std::string, ir::AttributeValue>>;

/// x [4, 2, 5, 5] → 1×1 convolution to 3 channels → op → Flatten → logits.
GradientCase behind_conv(const std::string& name, const std::string& op, const Attributes& attributes = {},
                         const std::vector<std::pair<std::string, Tensor>>& more = {}, std::int64_t opset = 17) {
  Builder b(opset);
  b.input("x", {4, 2, 5, 5}).constant("w", random_tensor({3, 2, 1, 1}, 1)).constant("b", random_tensor({3}, 2, 0.5F));
  b.node("Conv", {"x", "w", "b"}, {"h"});
  std::vector<std::string> inputs = {"h"};
  for (const auto& [input, tensor] : more) {
    b.constant(input, tensor);
    inputs.push_back(input);
  }
  b.node(op, inputs, {"y"}, attributes).node("Flatten", {"y"}, {"logits"});
  return {name, b.build({"logits"})};
}

GradientCase dense_chain() {
  Builder b;
  b.input("x", {4, 2, 5, 5}).constant("w", random_tensor({50, 6}, 1, 0.2F)).constant("b", random_tensor({6}, 2));
  b.constant("v", random_tensor({6, 5}, 3)).constant("c", random_tensor({5}, 4)).constant("m", random_tensor({5}, 5));
  b.node("Flatten", {"x"}, {"f"}).node("Gemm", {"f", "w", "b"}, {"g"}).node("Tanh", {"g"}, {"t"});
  b.node("MatMul", {"t", "v"}, {"k"}).node("Add", {"k", "c"}, {"a"}).node("Mul", {"a", "m"}, {"logits"});
  return {"dense", b.build({"logits"})};
}

/// A weight that reaches its layer transposed and gathered, and a residual sum computed in place.
GradientCase views_and_residual() {
  Builder b;
  b.input("x", {4, 2, 5, 5})
      .constant("w", random_tensor({2, 3, 1, 1}, 1))
      .constant("u", random_tensor({3, 3, 3, 3}, 2, 0.3F));
  b.ints("order", {2, 0}).ints("starts", {1}).ints("ends", {5}).ints("axes", {2});
  b.node("Transpose", {"w"}, {"wt"}, {{"perm", Ints{1, 0, 2, 3}}})
      .node("Conv", {"x", "wt"}, {"h"})
      .node("Relu", {"h"}, {"r"});
  b.node("Conv", {"r", "u"}, {"c"}, {{"pads", Ints{1, 1, 1, 1}}})
      .node("Add", {"c", "r"}, {"s"})
      .node("Relu", {"s"}, {"t"});
  b.node("Gather", {"t", "order"}, {"g"}, {{"axis", std::int64_t{1}}})
      .node("Slice", {"g", "starts", "ends", "axes"}, {"l"});
  b.node("Flatten", {"l"}, {"lf"}).node("Flatten", {"t"}, {"tf"});
  b.node("Concat", {"lf", "tf"}, {"logits"}, {{"axis", std::int64_t{1}}});
  return {"views", b.build({"logits"})};
}

/// x [4, 2, 5, 5] as 5 steps of 4 samples of 10 → recurrent layer → its outputs side by side.
GradientCase recurrent(const std::string& op, std::int64_t gates, const std::string& direction,
                       const Attributes& more = {}) {
  const std::int64_t directions = direction == "bidirectional" ? 2 : 1, hidden = 3;
  Builder b;
  b.input("x", {4, 2, 5, 5}).constant("w", random_tensor({directions, gates * hidden, 10}, 1, 0.5F));
  b.constant("r", random_tensor({directions, gates * hidden, hidden}, 2, 0.5F));
  b.constant("b", random_tensor({directions, 2 * gates * hidden}, 3, 0.5F));
  b.ints("rows", {4, 5, 10});
  Attributes attributes = {{"hidden_size", hidden}, {"direction", direction}};
  attributes.insert(attributes.end(), more.begin(), more.end());
  b.node("Transpose", {"x"}, {"t"}, {{"perm", Ints{0, 3, 1, 2}}}).node("Reshape", {"t", "rows"}, {"s"});
  b.node("Transpose", {"s"}, {"steps"}, {{"perm", Ints{1, 0, 2}}});
  b.node(op, {"steps", "w", "r", "b"}, {"y", "last"}, attributes);
  b.node("Transpose", {"y"}, {"yt"}, {{"perm", Ints{2, 0, 1, 3}}}).node("Flatten", {"yt"}, {"flat"});
  b.node("Transpose", {"last"}, {"lt"}, {{"perm", Ints{1, 0, 2}}}).node("Flatten", {"lt"}, {"end"});
  b.node("Concat", {"flat", "end"}, {"logits"}, {{"axis", std::int64_t{1}}});
  return {op + "_" + direction, b.build({"logits"})};
}

/// Operators that others define are trained as these others.
void add_expanded_cases(std::vector<GradientCase>& cases) {
  cases.push_back(behind_conv("swish", "Swish", {{"alpha", 1.5F}}, {}, 24));
  cases.push_back(behind_conv("skip_layer_norm", "com.microsoft.SkipLayerNormalization", {},
                              {{"r", random_tensor({4, 3, 5, 5}, 3)},
                               {"s", random_tensor({5}, 4, 0.3F, 1)},
                               {"t", random_tensor({5}, 5, 0.3F)}}));
  Builder b(23);
  b.input("x", {4, 2, 5, 5})
      .constant("w", random_tensor({3, 2, 1, 1}, 1))
      .constant("u", random_tensor({3, 2, 1, 1}, 2));
  b.node("Conv", {"x", "w"}, {"q"}).node("Conv", {"x", "u"}, {"k"});
  b.node("Attention", {"q", "k", "k"}, {"y"}, {{"is_causal", std::int64_t{1}}}).node("Flatten", {"y"}, {"logits"});
  cases.push_back({"attention", b.build({"logits"})});
}

Tensor indices(const Dims& dims, const std::vector<std::int64_t>& values) {
  return Tensor::from<std::int64_t>(dims, values);
}

/// Resolution, indices and the normalizations of transformers and generators.
void add_further_cases(std::vector<GradientCase>& cases) {
  const auto transposed = [&](const std::string& name, const Attributes& attributes, std::int64_t channels) {
    cases.push_back(behind_conv(name, "ConvTranspose", attributes,
                                {{"u", random_tensor({3, channels, 3, 3}, 3)}, {"v", random_tensor({4}, 4)}}));
  };
  transposed("conv_transpose", {{"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 0, 2}}, {"output_padding", Ints{1, 0}}},
             4);
  cases.push_back(
      behind_conv("resize_nearest", "Resize", {},
                  {{"roi", Tensor(DType::kFloat32, {0})}, {"by", Tensor::from<float>({4}, {1, 1, 2, 0.6F})}}));
  cases.push_back(
      behind_conv("resize_linear", "Resize", {{"mode", std::string("linear")}},
                  {{"roi", Tensor(DType::kFloat32, {0})}, {"by", Tensor::from<float>({4}, {1, 1, 1.5F, 2})}}));
  cases.push_back(behind_conv("resize_cubic", "Resize", {{"mode", std::string("cubic")}},
                              {{"roi", Tensor(DType::kFloat32, {0})}, {"by", Tensor::from<float>({4}, {1, 1, 2, 1})}}));
  const auto pair = [](std::uint64_t item) { return random_tensor({3}, item, 0.3F, 1); };
  cases.push_back(behind_conv("instance_norm", "InstanceNormalization", {}, {{"s", pair(3)}, {"t", pair(4)}}));
  cases.push_back(behind_conv("group_norm", "GroupNormalization", {{"num_groups", std::int64_t{3}}},
                              {{"s", pair(3)}, {"t", pair(4)}}, 21));
  cases.push_back(behind_conv("rms_norm", "RMSNormalization", {}, {{"s", random_tensor({5}, 3, 0.3F, 1)}}, 23));
  for (const char* op : {"Mish", "Selu", "Celu", "Softsign", "Sin", "Cos"})
    cases.push_back(behind_conv(op, op, {}, {}, op[0] == 'M' ? 18 : 17));
  cases.push_back(behind_conv("reduce_log_sum_exp", "ReduceLogSumExp", {{"axes", Ints{2}}}));
  cases.push_back(behind_conv("reduce_prod", "ReduceProd", {{"axes", Ints{1, 3}}}));
  cases.push_back(behind_conv(
      "gather_elements", "GatherElements", {{"axis", std::int64_t{3}}},
      {{"i", indices({4, 3, 1, 2}, {0, -1, 2, 1, 3, 3, 0, 0, 4, 1, 2, 2, 0, -2, 2, 1, 3, 3, 0, 1, 4, 1, 2, 0})}}));
  cases.push_back(behind_conv("cumsum", "CumSum", {{"reverse", std::int64_t{1}}, {"exclusive", std::int64_t{1}}},
                              {{"a", Tensor::scalar(std::int64_t{2})}}));
  cases.push_back(behind_conv("tile", "Tile", {}, {{"n", indices({4}, {1, 2, 1, 2})}}));
  cases.push_back(
      behind_conv("trilu", "Trilu", {{"upper", std::int64_t{0}}}, {{"k", Tensor::scalar(std::int64_t{1})}}));
  cases.push_back(recurrent("LSTM", 4, "bidirectional"));
  cases.push_back(recurrent("LSTM", 4, "reverse"));
  cases.push_back(recurrent("GRU", 3, "forward", {{"linear_before_reset", std::int64_t{1}}}));
  cases.push_back(recurrent("RNN", 1, "bidirectional"));
}

std::vector<GradientCase> gradient_cases() {
  std::vector<GradientCase> cases;
  const std::pair<std::string, ir::AttributeValue> kernel{"kernel_shape", Ints{3, 3}}, stride{"strides", Ints{2, 2}};
  cases.push_back(dense_chain());
  cases.push_back(views_and_residual());
  cases.push_back({"network", small_network()});
  cases.push_back(behind_conv("conv", "Conv", {{"pads", Ints{0, 1, 2, 1}}, stride},
                              {{"u", random_tensor({4, 3, 3, 3}, 3)}, {"v", random_tensor({4}, 4)}}));
  cases.push_back(
      behind_conv("depthwise", "Conv", {{"group", std::int64_t{3}}}, {{"u", random_tensor({6, 1, 3, 3}, 3)}}));
  cases.push_back(behind_conv("batch_norm", "BatchNormalization", {},
                              {{"s", random_tensor({3}, 3, 0.3F, 1)},
                               {"t", random_tensor({3}, 4)},
                               {"m", random_tensor({3}, 5)},
                               {"v", random_tensor({3}, 6, 0.1F, 1)}}));
  cases.push_back(behind_conv("lrn", "LRN", {{"size", std::int64_t{3}}, {"alpha", 0.5F}}));
  for (const char* op :
       {"Relu", "LeakyRelu", "Elu", "Sigmoid", "HardSwish", "Softplus", "Erf", "GlobalAveragePool", "GlobalMaxPool"}) {
    cases.push_back(behind_conv(op, op));
  }
  cases.push_back(behind_conv("gelu", "Gelu", {}, {}, 20));
  cases.push_back(behind_conv("softmax", "Softmax", {{"axis", std::int64_t{1}}}));
  cases.push_back(behind_conv("max_pool", "MaxPool", {kernel, stride, {"pads", Ints{0, 1, 2, 1}}}));
  cases.push_back(behind_conv("average_pool", "AveragePool", {kernel, stride, {"pads", Ints{0, 1, 2, 1}}}));
  cases.push_back(behind_conv("average_ceil", "AveragePool", {kernel, stride, {"ceil_mode", std::int64_t{1}}}));
  cases.push_back(behind_conv("div", "Div", {}, {{"d", random_tensor({3, 1, 1}, 3, 0.1F, 1)}}));
  cases.push_back(behind_conv("sub", "Sub", {}, {{"d", random_tensor({1, 3, 1, 5}, 3)}}));
  cases.push_back(behind_conv("pow", "Pow", {}, {{"e", Tensor::scalar(2.0F)}}));
  cases.push_back(behind_conv("reduce_mean", "ReduceMean", {{"axes", Ints{2, 3}}, {"keepdims", std::int64_t{0}}}));
  cases.push_back(behind_conv("transpose", "Transpose", {{"perm", Ints{0, 3, 1, 2}}}));
  cases.push_back(behind_conv("pad", "Pad", {}, {{"p", Tensor::from<std::int64_t>({8}, {0, 0, 1, 0, 0, 0, -1, 1})}}));
  add_further_cases(cases);
  add_expanded_cases(cases);
  return cases;
}

const std::vector<GradientCase>& all_cases() {
  static const std::vector<GradientCase> cases = gradient_cases();
  return cases;
}

class Gradient : public testing::TestWithParam<std::size_t> {};

TEST_P(Gradient, MatchesCentralDifferences) {
  const ir::Model& model = all_cases()[GetParam()].model;
  const Dims dims = *model.graph.value(model.graph.inputs[0]).shape.static_dims();
  const Dims logits = *model.graph.value(model.graph.outputs[0]).shape.static_dims();
  const data::Batch batch = batch_for(dims, logits[1]);
  const auto trainer = factory().create(model, nullptr, plain_options());
  const std::vector<std::string> names = trainer->parameters();
  ASSERT_FALSE(names.empty());
  std::vector<Tensor> before, after;
  for (const std::string& name : names) before.push_back(trainer->parameter(name).clone());
  const NamedTensors asked = trainer->gradients(batch);
  const std::vector<ir::NodeId> nodes = model.graph.nodes();
  const bool batch_norm = std::any_of(nodes.begin(), nodes.end(), [&](ir::NodeId id) {
    return model.graph.node(id).is("BatchNormalization");  // a step normalizes by the batch, gradients() by the past
  });
  trainer->step(batch, 1);
  for (const std::string& name : names) after.push_back(trainer->parameter(name).clone());
  const auto restore = [&] {
    for (std::size_t i = 0; i < names.size(); ++i) trainer->set_parameter(names[i], before[i]);
  };
  restore();
  for (std::size_t p = 0; p < names.size(); ++p) {
    const auto w = before[p].data<float>(), moved = after[p].data<float>(), slope = asked.at(names[p]).data<float>();
    double largest = 0;
    for (std::size_t i = 0; i < w.size(); ++i) largest = std::max<double>(largest, std::abs(w[i] - moved[i]));
    const std::size_t stride = std::max<std::size_t>(1, w.size() / 12);
    for (std::size_t i = 0; i < w.size(); i += stride) {
      constexpr float kStep = 4e-3F;
      double loss[2];
      for (int side = 0; side < 2; ++side) {
        Tensor nudged = before[p].clone();
        nudged.mutable_data<float>()[i] += side == 0 ? -kStep : kStep;
        trainer->set_parameter(names[p], nudged);
        loss[side] = trainer->step(batch, 0).loss;
      }
      trainer->set_parameter(names[p], before[p]);
      const double expected = (loss[1] - loss[0]) / (2 * kStep), got = static_cast<double>(w[i]) - moved[i];
      if (!batch_norm)
        ASSERT_NEAR(slope[i], got, 1e-5 * (1 + std::fabs(got))) << names[p] << "[" << i << "]: asked for";
      ASSERT_NEAR(got, expected, 0.02 * largest + 3e-4) << names[p] << "[" << i << "]";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Gradient, testing::Range<std::size_t>(0, gradient_cases().size()),
                         [](const auto& info) { return all_cases()[info.param].name; });

/// Logits on a quantization grid: d loss / d bias = mean over the batch of (softmax − one-hot), zero where the logit
/// saturates.
TEST(FakeQuantization, PassesGradientsStraightThroughInsideTheRange) {
  Builder b;
  b.input("x", {2, 3})
      .constant("w", Tensor::from<float>({3, 2}, {0, 0, 0, 0, 0, 0}))
      .constant("b", Tensor::from<float>({2}, {0.33F, 50}));
  b.constant("s", Tensor::scalar(0.1F)).constant("z", Tensor::scalar<std::int8_t>(0));
  b.node("Gemm", {"x", "w", "b"}, {"g"})
      .node("QuantizeLinear", {"g", "s", "z"}, {"q"})
      .node("DequantizeLinear", {"q", "s", "z"}, {"logits"});
  const ir::Model model = b.build({"logits"});
  data::Batch batch;
  batch.inputs["x"] = random_tensor({2, 3}, 1);
  batch.labels = {0, 0};
  const auto trainer = factory().create(model, nullptr, plain_options());
  const exec::StepResult result = trainer->step(batch, 1);
  const double first = 0.3, second = 12.7;  // 0.33 → 3 steps; 50 saturates at 127
  EXPECT_NEAR(result.loss, second - first + std::log1p(std::exp(first - second)), 1e-5);
  const double probability = 1 / (1 + std::exp(second - first));
  EXPECT_NEAR(trainer->parameter("b").data<float>()[0], 0.33 - (probability - 1), 1e-5);
  EXPECT_EQ(trainer->parameter("b").data<float>()[1], 50);
}

/// A float weight behind QuantizeLinear/DequantizeLinear is trained; an int8 one is a constant.
TEST(FakeQuantization, TrainsFloatWeightsBehindQuantizers) {
  Builder b;
  b.input("x", {2, 3}).constant("w", random_tensor({3, 2}, 1)).constant("s", Tensor::scalar(0.01F));
  b.constant("z", Tensor::scalar<std::int8_t>(0)).constant("v", Tensor::from<std::int8_t>({2, 2}, {1, 2, 3, 4}));
  b.node("QuantizeLinear", {"w", "s", "z"}, {"wq"}).node("DequantizeLinear", {"wq", "s", "z"}, {"wd"});
  b.node("MatMul", {"x", "wd"}, {"h"})
      .node("DequantizeLinear", {"v", "s", "z"}, {"vd"})
      .node("MatMul", {"h", "vd"}, {"logits"});
  const auto trainer = factory().create(b.build({"logits"}), nullptr, plain_options());
  EXPECT_EQ(trainer->parameters(), std::vector<std::string>{"w"});
}

}  // namespace
}  // namespace pare::train
