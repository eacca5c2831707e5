// Each layer's own error, put into the reference, against the same by hand: y = relu(x·W1)·W2 + relu(x·W1).
#include "eval/injection.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "reference_backend.h"

namespace pare::eval {
namespace {

constexpr std::int64_t kRows = 6, kWidth = 4;
using Matrix = std::vector<double>;

Matrix random_matrix(std::int64_t rows, std::uint64_t seed, double scale) {
  Rng rng(seed, kRngTest);
  Matrix matrix(static_cast<std::size_t>(rows * kWidth));
  for (double& x : matrix) x = static_cast<float>(scale * rng.normal());
  return matrix;
}

Tensor tensor_of(const Matrix& matrix) {
  return Tensor::from({static_cast<std::int64_t>(matrix.size()) / kWidth, kWidth},
                      std::vector<float>(matrix.begin(), matrix.end()));
}

Matrix product(const Matrix& x, const Matrix& w) {
  Matrix y(x.size(), 0);
  for (std::size_t r = 0; r < x.size() / kWidth; ++r)
    for (std::size_t c = 0; c < kWidth; ++c)
      for (std::size_t k = 0; k < kWidth; ++k) y[r * kWidth + c] += x[r * kWidth + k] * w[k * kWidth + c];
  return y;
}

Matrix relu(Matrix x) {
  for (double& value : x) value = std::max(value, 0.0);
  return x;
}

Matrix sum(const Matrix& x, const Matrix& y) {
  Matrix z(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) z[i] = x[i] + y[i];
  return z;
}

double snr(const Matrix& a, const Matrix& b) {
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < a.size(); ++i) signal += a[i] * a[i], noise += (a[i] - b[i]) * (a[i] - b[i]);
  return 10 * std::log10(signal / noise);
}

double agreement(const Matrix& a, const Matrix& b) {
  int same = 0;
  for (std::size_t r = 0; r < a.size() / kWidth; ++r) {
    const auto top = [&](const Matrix& m) {
      const auto row = m.begin() + static_cast<std::ptrdiff_t>(r * kWidth);
      return std::max_element(row, row + kWidth) - row;
    };
    same += top(a) == top(b) ? 1 : 0;
  }
  return 100.0 * same / static_cast<double>(a.size() / kWidth);
}

struct Made {
  ir::Model model;
  LayerValue first, second;
};

/// `step` > 0: the hidden value is rounded to multiples of it by a pair of QuantizeLinear and DequantizeLinear.
Made network(const Matrix& w1, const Matrix& w2, float step = 0) {
  Made made;
  ir::Graph& graph = made.model.graph;
  const auto add = [&](const std::string& op, std::vector<ir::ValueId> inputs, const std::string& output) {
    ir::Node node;
    node.op_type = op;
    node.name = output + "_node";
    node.inputs = std::move(inputs);
    node.outputs = {graph.add_value(output)};
    const ir::ValueId id = node.outputs[0];
    graph.add_node(std::move(node));
    return id;
  };
  const ir::ValueId x = graph.add_input("x", DType::kFloat32, ir::Shape({ir::Dim::symbol("N"), kWidth}));
  const ir::ValueId hidden =
      add("Relu", {add("MatMul", {x, graph.add_initializer("w1", tensor_of(w1))}, "product")}, "hidden");
  ir::ValueId read = hidden;
  if (step > 0) {
    const ir::ValueId scale = graph.add_initializer("scale", Tensor::scalar(step)),
                      zero = graph.add_initializer("zero", Tensor::scalar<std::uint8_t>(0));
    read = add("DequantizeLinear", {add("QuantizeLinear", {hidden, scale, zero}, "integers"), scale, zero}, "read");
  }
  const ir::ValueId y = add("Add", {add("MatMul", {read, graph.add_initializer("w2", tensor_of(w2))}, "z"), read}, "y");
  graph.outputs = {y};
  ir::infer_shapes(made.model);
  const auto layer = [&](ir::ValueId source, ir::ValueId observed) {
    LayerValue value;
    value.key = graph.value(source).name;
    value.source = source;
    value.observed = graph.value(observed).name;
    return value;
  };
  made.first = layer(hidden, read);
  made.second = layer(y, y);
  return made;
}

std::vector<std::optional<InjectedError>> inject(const Made& a, const Made& b, const Matrix& x) {
  const ReferenceBackend backend;
  std::vector<PairedBatch> samples;
  for (std::size_t half = 0; half < 2; ++half) {  // 4 and 2 rows
    const Matrix part(x.begin() + static_cast<std::ptrdiff_t>(half * 4 * kWidth),
                      half == 0 ? x.begin() + 4 * kWidth : x.end());
    samples.push_back({{{"x", tensor_of(part)}}, {{"x", tensor_of(part)}}, static_cast<std::int64_t>(part.size()) / kWidth});
  }
  const std::vector<LayerPair> layers{{a.first, b.first}, {a.second, b.second}};
  return inject_errors(backend, a.model, b.model, layers, samples, {.compile = {}, .output = "y", .classes = true}, {});
}

class Injection : public ::testing::Test {
 protected:
  Matrix x = random_matrix(kRows, 1, 1), w1 = random_matrix(kWidth, 2, 0.5), w2 = random_matrix(kWidth, 3, 0.5);
  Matrix off1 = sum(w1, random_matrix(kWidth, 4, 0.1)), off2 = sum(w2, random_matrix(kWidth, 5, 0.1));
  Matrix hidden = relu(product(x, w1)), y = sum(product(hidden, w2), hidden);
};

TEST_F(Injection, EveryLayerErrsAloneOnExactInputs) {
  const auto errors = inject(network(w1, w2), network(off1, off2), x);
  ASSERT_TRUE(errors[0] && errors[1]);
  const Matrix h = relu(product(x, off1)), first = sum(product(h, w2), h);
  EXPECT_NEAR(*errors[0]->layer.snr_db(), snr(hidden, h), 1e-3);
  EXPECT_NEAR(*errors[0]->output.snr_db(), snr(y, first), 1e-3);
  EXPECT_EQ(errors[0]->agreement, agreement(y, first));
  const Matrix second = sum(product(hidden, off2), hidden);
  EXPECT_NEAR(*errors[1]->layer.snr_db(), snr(y, second), 1e-3);
  EXPECT_NEAR(*errors[1]->output.snr_db(), snr(y, second), 1e-3);
}

TEST_F(Injection, RoundingBelongsToTheLayerThatIsRounded) {
  const float step = 0.25F;
  const auto errors = inject(network(w1, w2), network(w1, w2, step), x);
  ASSERT_TRUE(errors[0] && errors[1]);
  Matrix rounded = hidden;
  for (double& value : rounded) value = std::min(std::nearbyint(value / step), 255.0) * step;
  EXPECT_NEAR(*errors[0]->layer.snr_db(), snr(hidden, rounded), 1e-3);
  EXPECT_NEAR(*errors[0]->output.snr_db(), snr(y, sum(product(rounded, w2), rounded)), 1e-3);
  EXPECT_TRUE(errors[1]->layer.identical());  // fed a's values, not rounded ones
  EXPECT_TRUE(errors[1]->output.identical());
}

TEST_F(Injection, IdenticalLayersAreLeftOut) {
  const Made a = network(w1, w2);
  const ReferenceBackend backend;
  const std::vector<LayerPair> layers{{a.first, a.first, true}};
  const std::vector<PairedBatch> samples{{{{"x", tensor_of(x)}}, {{"x", tensor_of(x)}}, kRows}};
  const auto errors = inject_errors(backend, a.model, a.model, layers, samples, {.compile = {}, .output = "y"}, {});
  EXPECT_EQ(errors.size(), 1U);
  EXPECT_FALSE(errors[0]);
}

}  // namespace
}  // namespace pare::eval
