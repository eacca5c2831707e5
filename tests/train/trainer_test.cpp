// The trainer as its interface promises: updates, masks, losses, state, errors.
#include <omp.h>

#include <cmath>
#include <limits>

#include "pare_build_id.h"
#include "train/fixture.h"

namespace pare::train {
namespace {

std::vector<Tensor> weights_of(const exec::Trainer& trainer) {
  std::vector<Tensor> weights;
  for (const std::string& name : trainer.parameters()) weights.push_back(trainer.parameter(name).clone());
  return weights;
}

void expect_identical(const exec::Trainer& a, const exec::Trainer& b) {
  for (const std::string& name : a.parameters()) EXPECT_TRUE(a.parameter(name).identical(b.parameter(name))) << name;
}

/// x [2, 3] → Gemm → logits [2, 4] with known numbers.
ir::Model linear_model() {
  Builder b;
  b.input("x", {2, 3}).constant("w", random_tensor({4, 3}, 1)).constant("b", random_tensor({4}, 2));
  b.node("Gemm", {"x", "w", "b"}, {"logits"}, {{"transB", std::int64_t{1}}});
  return b.build({"logits"});
}

data::Batch linear_batch() { return batch_for({2, 3}, 4); }

std::vector<double> log_softmax(const float* logits, int classes, double temperature) {
  double sum = 0;
  for (int c = 0; c < classes; ++c) sum += std::exp(logits[c] / temperature);
  std::vector<double> result;
  for (int c = 0; c < classes; ++c) result.push_back(logits[c] / temperature - std::log(sum));
  return result;
}

TEST(Plugin, CarriesTheBuildItBelongsTo) {
  EXPECT_EQ(plugin().abi, exec::kTrainPluginAbi);
  EXPECT_STREQ(plugin().build_id, PARE_BUILD_ID);
}

TEST(Trainer, ListsParametersInGraphOrder) {
  const auto trainer = factory().create(small_network(), nullptr, plain_options());
  EXPECT_EQ(trainer->parameters(), (std::vector<std::string>{"w1", "b1", "scale", "shift", "w2", "b2", "w3", "b3"}));
  EXPECT_NE(trainer->description().find("cpu, f32, 1 thread, LibTorch"), std::string::npos) << trainer->description();
}

TEST(Trainer, LeavesPreprocessingAndScalarsAlone) {
  Builder b;
  b.input("x", {2, 3}).constant("mean", random_tensor({3}, 1)).constant("one", Tensor::from<float>({1}, {0.5F}));
  b.constant("w", random_tensor({3, 4}, 2)).constant("c", random_tensor({4}, 3));
  b.node("Sub", {"x", "mean"}, {"n"})
      .node("MatMul", {"n", "w"}, {"m"})
      .node("Mul", {"m", "one"}, {"s"})
      .node("Add", {"s", "c"}, {"logits"});
  EXPECT_EQ(factory().create(b.build({"logits"}), nullptr, plain_options())->parameters(),
            (std::vector<std::string>{"w", "c"}));
}

TEST(Trainer, SharedWeightIsOneParameter) {
  Builder b;
  b.input("x", {2, 3}).constant("w", random_tensor({3, 3}, 1));
  b.node("MatMul", {"x", "w"}, {"h"}).node("MatMul", {"h", "w"}, {"logits"});
  EXPECT_EQ(factory().create(b.build({"logits"}), nullptr, plain_options())->parameters(),
            std::vector<std::string>{"w"});
}

TEST(Loss, LabelSmoothingMatchesItsFormula) {
  exec::TrainerOptions options = plain_options();
  options.loss.label_smoothing = 0.1;
  const ir::Model model = linear_model();
  const data::Batch batch = linear_batch();
  const auto trainer = factory().create(model, nullptr, options);
  const Tensor logits = trainer->forward(batch.inputs).at("logits");
  double expected = 0;
  std::int64_t correct = 0;
  for (int n = 0; n < 2; ++n) {
    const float* row = logits.data<float>().data() + 4 * n;
    const std::vector<double> log_p = log_softmax(row, 4, 1);
    for (int c = 0; c < 4; ++c) expected -= (c == batch.labels[n] ? 0.9 + 0.025 : 0.025) * log_p[c] / 2;
    correct += std::max_element(row, row + 4) - row == batch.labels[n];
  }
  const exec::StepResult result = trainer->step(batch, 0);
  EXPECT_NEAR(result.loss, expected, 1e-5);
  EXPECT_EQ(result.correct, correct);
  EXPECT_EQ(result.samples, 2);
}

TEST(Loss, DistillationMatchesItsFormula) {
  exec::TrainerOptions options = plain_options();
  options.loss = {0, 3, 0.7};
  const ir::Model student = linear_model();
  ir::Model teacher = student;
  teacher.graph.set_constant(teacher.graph.find_value("w"), random_tensor({4, 3}, 77));
  const data::Batch batch = linear_batch();
  const auto trainer = factory().create(student, &teacher, options);
  const Tensor s = trainer->forward(batch.inputs).at("logits"), t = ir::evaluate(teacher, batch.inputs).at("logits");
  double expected = 0;
  for (int n = 0; n < 2; ++n) {
    const float *srow = s.data<float>().data() + 4 * n, *trow = t.data<float>().data() + 4 * n;
    expected -= 0.3 * log_softmax(srow, 4, 1)[static_cast<std::size_t>(batch.labels[n])] / 2;
    const std::vector<double> ls = log_softmax(srow, 4, 3), lt = log_softmax(trow, 4, 3);
    for (int c = 0; c < 4; ++c) expected += 0.7 * 9 * std::exp(lt[c]) * (lt[c] - ls[c]) / 2;
  }
  EXPECT_NEAR(trainer->step(batch, 0).loss, expected, 1e-5);
}

TEST(Loss, DistillationAloneNeedsNoLabels) {
  exec::TrainerOptions options = plain_options();
  options.loss = {0, 4, 1};
  const ir::Model student = linear_model();
  ir::Model teacher = student;
  teacher.graph.set_constant(teacher.graph.find_value("w"), random_tensor({4, 3}, 77));
  data::Batch batch = linear_batch();
  batch.labels.clear();
  const auto trainer = factory().create(student, &teacher, options);
  const double before = trainer->evaluate(batch).loss;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(trainer->step(batch, 0.05).correct, 0);
  EXPECT_LT(trainer->evaluate(batch).loss, 0.8 * before);
}

TEST(Loss, EvaluationReportsPlainCrossEntropyOfTheInferenceModel) {
  exec::TrainerOptions options = plain_options();
  options.loss.label_smoothing = 0.2;
  const auto trainer = factory().create(small_network(), nullptr, options);
  const data::Batch batch = small_batch();
  const Tensor logits = trainer->forward(batch.inputs).at("logits");
  double expected = 0;
  for (int n = 0; n < 8; ++n) {
    expected -= log_softmax(logits.data<float>().data() + 5 * n, 5, 1)[static_cast<std::size_t>(batch.labels[n])] / 8;
  }
  EXPECT_NEAR(trainer->evaluate(batch).loss, expected, 1e-5);
}

/// Gradients of the linear model are the same at every step when the loss is replaced by its first value, so the update
/// rules are followed by reading the gradient from a plain twin at the same weights.
void expect_rule(const exec::OptimizerOptions& optimizer, int steps) {
  exec::TrainerOptions options = plain_options();
  options.optimizer = optimizer;
  const ir::Model model = linear_model();
  const data::Batch batch = linear_batch();
  const auto trainer = factory().create(model, nullptr, options);
  const auto twin = factory().create(model, nullptr, plain_options());
  constexpr double kRate = 0.1;
  std::vector<std::vector<double>> m(2), v(2);
  for (int t = 1; t <= steps; ++t) {
    const std::vector<Tensor> before = weights_of(*trainer);
    for (std::size_t p = 0; p < 2; ++p) twin->set_parameter(trainer->parameters()[p], before[p]);
    twin->step(batch, 1);
    const std::vector<Tensor> moved = weights_of(*twin);
    trainer->step(batch, kRate);
    const std::vector<Tensor> after = weights_of(*trainer);
    for (std::size_t p = 0; p < 2; ++p) {
      m[p].resize(static_cast<std::size_t>(before[p].numel()));
      v[p].resize(m[p].size());
      const double decay = p == 0 ? optimizer.weight_decay : 0;  // biases are not decayed
      for (std::size_t i = 0; i < m[p].size(); ++i) {
        const double w = before[p].data<float>()[i], g = w - moved[p].data<float>()[i];
        double expected = 0;
        if (optimizer.kind == "sgd") {
          const double d = g + decay * w;
          m[p][i] = optimizer.momentum * m[p][i] + d;
          expected = w - kRate * (optimizer.nesterov ? d + optimizer.momentum * m[p][i] : m[p][i]);
        } else {
          m[p][i] = optimizer.beta1 * m[p][i] + (1 - optimizer.beta1) * g;
          v[p][i] = optimizer.beta2 * v[p][i] + (1 - optimizer.beta2) * g * g;
          const double mean = m[p][i] / (1 - std::pow(optimizer.beta1, t)),
                       square = v[p][i] / (1 - std::pow(optimizer.beta2, t));
          expected = w * (1 - kRate * decay) - kRate * mean / (std::sqrt(square) + optimizer.epsilon);
        }
        ASSERT_NEAR(after[p].data<float>()[i], expected, 2e-5) << "step " << t << " element " << i;
      }
    }
  }
}

TEST(Optimizer, FollowsSgdWithNesterovMomentumAndDecay) { expect_rule({.kind = "sgd", .weight_decay = 0.1}, 4); }
TEST(Optimizer, FollowsSgdWithHeavyBallMomentum) {
  expect_rule({.kind = "sgd", .momentum = 0.8, .nesterov = false}, 4);
}
TEST(Optimizer, FollowsAdamW) { expect_rule({.kind = "adamw", .weight_decay = 0.1, .epsilon = 1e-3}, 4); }

TEST(Optimizer, ClipsTheGlobalNorm) {
  exec::TrainerOptions options = plain_options();
  options.optimizer.clip_norm = 0.05;
  const auto trainer = factory().create(small_network(), nullptr, options);
  const std::vector<Tensor> before = weights_of(*trainer);
  const exec::StepResult result = trainer->step(small_batch(), 1);
  const std::vector<Tensor> after = weights_of(*trainer);
  double squares = 0;
  for (std::size_t p = 0; p < before.size(); ++p) {
    for (std::int64_t i = 0; i < before[p].numel(); ++i)
      squares += std::pow(after[p].data<float>()[i] - before[p].data<float>()[i], 2);
  }
  EXPECT_GT(result.gradient_norm, 0.05);
  EXPECT_NEAR(std::sqrt(squares), 0.05, 1e-4);
}

class Masks : public testing::TestWithParam<const char*> {};

TEST_P(Masks, KeepZerosExactly) {
  exec::TrainerOptions options = plain_options();
  options.optimizer = {.kind = GetParam()};
  const auto trainer = factory().create(small_network(), nullptr, options);
  trainer->step(small_batch(), 0.05);  // momentum is there before the mask is
  Tensor mask(DType::kUint8, {4, 4, 3, 3});
  auto bits = mask.mutable_data<std::uint8_t>();
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = i % 3 == 0;
  trainer->set_mask("w2", mask);
  const auto expect_masked = [&] {
    const Tensor weight = trainer->parameter("w2");
    for (std::size_t i = 0; i < bits.size(); ++i) {
      const float value = weight.data<float>()[i];
      ASSERT_EQ(value == 0, bits[i] == 0) << i;
      ASSERT_FALSE(value == 0 && std::signbit(value)) << i;
    }
  };
  expect_masked();
  for (int i = 0; i < 5; ++i) {
    trainer->step(small_batch(101 + i), 0.05);
    expect_masked();
  }
  trainer->set_parameter("w2", random_tensor({4, 4, 3, 3}, 5));
  expect_masked();
  trainer->set_mask("w2", Tensor());
  trainer->step(small_batch(), 0.05);
  EXPECT_NE(trainer->parameter("w2").data<float>()[1], 0);
}

TEST_P(Masks, AreTakenOverFromTheModel) {
  exec::TrainerOptions options = plain_options();
  options.optimizer = {.kind = GetParam()};
  ir::Model model = small_network();
  model.graph.value(model.graph.find_value("w3")).mask = Tensor(DType::kUint8, {5, 4});
  const auto trainer = factory().create(model, nullptr, options);
  trainer->step(small_batch(), 0.05);
  const Tensor weight = trainer->parameter("w3");
  for (const float value : weight.data<float>()) EXPECT_EQ(value, 0);
}

INSTANTIATE_TEST_SUITE_P(Optimizers, Masks, testing::Values("sgd", "adamw"));

/// small_network with dropout before the classifier, so that the generator's state matters.
ir::Model with_dropout() {
  ir::Model model = small_network();
  ir::Graph& graph = model.graph;
  ir::Node node;
  node.op_type = "Dropout";
  node.name = "dropout";
  const ir::NodeId gemm = graph.producer(graph.find_value("logits"));
  node.inputs = {graph.find_value("f")};
  node.outputs = {graph.add_value("dropped", DType::kFloat32)};
  const ir::ValueId dropped = node.outputs[0];
  graph.add_node(std::move(node), gemm);
  graph.set_input(gemm, 0, dropped);
  return model;
}

class State : public testing::TestWithParam<const char*> {};

TEST_P(State, ContinuesBitIdentically) {
  exec::TrainerOptions options = plain_options();
  options.optimizer.kind = GetParam();
  options.optimizer.momentum = 0.9;
  options.seed = 3;
  const ir::Model model = with_dropout();
  const auto through = factory().create(model, nullptr, options);
  Tensor mask(DType::kUint8, {5, 4});
  mask.mutable_data<std::uint8_t>()[3] = 1;
  for (int i = 0; i < 3; ++i) through->step(small_batch(200 + i), 0.05);
  through->set_mask("w3", mask);
  const std::string state = through->save_state();
  options.seed = 99;  // everything random must come from the state
  const auto resumed = factory().create(model, nullptr, options);
  resumed->load_state(state);
  EXPECT_EQ(resumed->save_state(), state);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(through->step(small_batch(300 + i), 0.05).loss, resumed->step(small_batch(300 + i), 0.05).loss);
  }
  expect_identical(*through, *resumed);
  EXPECT_EQ(through->save_state(), resumed->save_state());
  EXPECT_TRUE(through->forward(small_batch().inputs)
                  .at("logits")
                  .identical(resumed->forward(small_batch().inputs).at("logits")));
}

INSTANTIATE_TEST_SUITE_P(Optimizers, State, testing::Values("sgd", "adamw"));

TEST(State, RefusesWhatIsNotOurs) {
  const auto trainer = factory().create(small_network(), nullptr, plain_options());
  const std::string state = trainer->save_state();
  EXPECT_EQ(thrown_by([&] { trainer->load_state("nonsense"); }).code(), ErrorCode::kBadInput);
  EXPECT_EQ(thrown_by([&] { trainer->load_state(state.substr(0, state.size() / 2)); }).code(), ErrorCode::kBadInput);
  EXPECT_EQ(thrown_by([&] { trainer->load_state(state + "x"); }).code(), ErrorCode::kBadInput);
  const auto other = factory().create(linear_model(), nullptr, plain_options());
  EXPECT_EQ(thrown_by([&] { trainer->load_state(other->save_state()); }).code(), ErrorCode::kBadInput);
  EXPECT_EQ(trainer->save_state(), state);
}

TEST(Determinism, SameSeedAndThreadsGiveTheSameBits) {
  exec::TrainerOptions options = plain_options();
  options.threads = 2;
  options.seed = 5;
  const auto first = factory().create(with_dropout(), nullptr, options),
             second = factory().create(with_dropout(), nullptr, options);
  for (int i = 0; i < 3; ++i) first->step(small_batch(400 + i), 0.05);
  for (int i = 0; i < 3; ++i) second->step(small_batch(400 + i), 0.05);
  expect_identical(*first, *second);
  options.seed = 6;
  const auto other = factory().create(with_dropout(), nullptr, options);
  for (int i = 0; i < 3; ++i) other->step(small_batch(400 + i), 0.05);
  EXPECT_FALSE(other->parameter("w3").identical(first->parameter("w3")));
}

/// conv → relu → pool → Gemm over [N, 2, 6, 6] with N free: a batch may be split among threads.
ir::Model separable_network() {
  Builder b;
  b.constant("w1", random_tensor({4, 2, 3, 3}, 1, 0.3F)).constant("b1", random_tensor({4}, 2, 0.1F));
  b.constant("w2", random_tensor({5, 4}, 9, 0.5F)).constant("b2", random_tensor({5}, 10, 0.1F));
  b.free_input("x", "N", {2, 6, 6});
  b.node("Conv", {"x", "w1", "b1"}, {"c"}).node("Relu", {"c"}, {"r"}).node("GlobalAveragePool", {"r"}, {"p"});
  b.node("Flatten", {"p"}, {"f"}).node("Gemm", {"f", "w2", "b2"}, {"logits"}, {{"transB", std::int64_t{1}}});
  return b.build({"logits"});
}

TEST(Parts, OfABatchGiveTheStepOfTheWhole) {
  const ir::Model model = separable_network(), teacher = separable_network();
  exec::TrainerOptions options = plain_options();
  options.loss.alpha = 0.5;
  const auto whole = factory().create(model, &teacher, options);
  options.threads = 3;
  const auto parts = factory().create(model, &teacher, options), again = factory().create(model, &teacher, options);
  const data::Batch batch = batch_for({29, 2, 6, 6}, 5);  // 9, 10 and 10 samples
  for (int i = 0; i < 3; ++i) {
    const exec::StepResult a = whole->step(batch, 0.1), b = parts->step(batch, 0.1);
    again->step(batch, 0.1);
    EXPECT_NEAR(a.loss, b.loss, 1e-6);
    EXPECT_NEAR(a.gradient_norm, b.gradient_norm, 1e-6);
    EXPECT_EQ(a.correct, b.correct);
    EXPECT_EQ(b.samples, 29);
  }
  for (const std::string& name : whole->parameters()) {
    const Tensor a = whole->parameter(name), b = parts->parameter(name);
    for (std::int64_t i = 0; i < a.numel(); ++i) EXPECT_NEAR(a.data<float>()[i], b.data<float>()[i], 1e-5) << name;
  }
  expect_identical(*parts, *again);
}

TEST(Parts, AreNotMadeWhereSamplesMeet) {  // batch statistics: threads must not change what is computed
  Builder b;
  b.constant("w", random_tensor({4, 2, 3, 3}, 1)).constant("s", random_tensor({4}, 2, 0.1F, 1));
  b.constant("z", random_tensor({4}, 3)).constant("m", random_tensor({4}, 4));
  b.constant("v", Tensor::from<float>({4}, {1, 2, 1, 2}));
  b.free_input("x", "N", {2, 6, 6});
  b.node("Conv", {"x", "w"}, {"c"}).node("BatchNormalization", {"c", "s", "z", "m", "v"}, {"n"});
  b.node("GlobalAveragePool", {"n"}, {"p"}).node("Flatten", {"p"}, {"logits"});
  const ir::Model model = b.build({"logits"});
  exec::TrainerOptions options = plain_options();
  const auto one = factory().create(model, nullptr, options);
  options.threads = 2;
  const auto two = factory().create(model, nullptr, options);
  const data::Batch batch = batch_for({32, 2, 6, 6}, 4);
  EXPECT_NEAR(one->step(batch, 0.1).loss, two->step(batch, 0.1).loss, 1e-5);
}

TEST(Parts, ReportWrongLabelsLikeTheWhole) {
  exec::TrainerOptions options = plain_options();
  options.threads = 2;
  const auto trainer = factory().create(separable_network(), nullptr, options);
  data::Batch batch = batch_for({32, 2, 6, 6}, 5);
  batch.labels.pop_back();
  EXPECT_EQ(thrown_by([&] { trainer->step(batch, 0.1); }).code(), ErrorCode::kBadInput);
  batch.labels.push_back(7);
  EXPECT_NE(std::string(thrown_by([&] { trainer->step(batch, 0.1); }).what()).find("label 7"), std::string::npos);
}

TEST(Determinism, CallersThreadsComeBack) {
  omp_set_num_threads(3);
  exec::TrainerOptions options = plain_options();
  options.threads = 2;
  factory().create(linear_model(), nullptr, options)->step(linear_batch(), 0.1);
  EXPECT_EQ(omp_get_max_threads(), 3);
}

TEST(BatchNorm, RunningStatisticsFollowTheBatches) {
  ir::Model model = small_network();
  const auto trainer = factory().create(model, nullptr, plain_options());
  const data::Batch batch = small_batch();
  // The first convolution's output, by the reference.
  ir::Model probe = model;
  probe.graph.outputs = {probe.graph.find_value("c1")};
  const Tensor c1 = ir::evaluate(probe, batch.inputs).at("c1");
  trainer->step(batch, 0);
  trainer->write_back(model);
  const auto read = [&](const char* name) { return *model.graph.constant(model.graph.find_value(name)); };
  const ir::Model original = small_network();
  const auto was = [&](const char* name) { return *original.graph.constant(original.graph.find_value(name)); };
  for (std::size_t channel = 0; channel < 4; ++channel) {
    double sum = 0, squares = 0;
    constexpr double kCount = 8 * 36;
    for (std::size_t n = 0; n < 8; ++n) {
      for (std::size_t i = 0; i < 36; ++i) {
        const double value = c1.data<float>()[(n * 4 + channel) * 36 + i];
        sum += value;
        squares += value * value;
      }
    }
    const double mean = sum / kCount, variance = (squares - sum * mean) / (kCount - 1);
    EXPECT_NEAR(read("mean").data<float>()[channel], 0.9 * was("mean").data<float>()[channel] + 0.1 * mean, 1e-5);
    EXPECT_NEAR(read("variance").data<float>()[channel], 0.9 * was("variance").data<float>()[channel] + 0.1 * variance,
                1e-4);
  }
}

TEST(BatchNorm, SharedStatisticsStayFrozen) {
  Builder b;
  b.input("x", {4, 2, 3, 3}).constant("s", random_tensor({2}, 1)).constant("t", random_tensor({2}, 2));
  b.constant("m", random_tensor({2}, 3)).constant("v", random_tensor({2}, 4, 0.1F, 1));
  b.node("BatchNormalization", {"x", "s", "t", "m", "v"}, {"n"})
      .node("BatchNormalization", {"n", "s", "t", "m", "v"}, {"y"});
  b.node("Flatten", {"y"}, {"logits"});
  ir::Model model = b.build({"logits"});
  const Tensor before = *model.graph.constant(model.graph.find_value("m"));
  const auto trainer = factory().create(model, nullptr, plain_options());
  const data::Batch batch = batch_for({4, 2, 3, 3}, 18);
  EXPECT_NEAR(trainer->step(batch, 0).loss, trainer->evaluate(batch).loss, 1e-6);  // inference statistics in both
  trainer->write_back(model);
  EXPECT_TRUE(model.graph.constant(model.graph.find_value("m"))->identical(before));
}

TEST(WriteBack, ChangesParametersAndStatisticsOnly) {
  ir::Model model = small_network();
  const ir::Model before = model;
  const auto trainer = factory().create(model, nullptr, plain_options());
  trainer->step(small_batch(), 0.1);
  trainer->write_back(model);
  for (const ir::ValueId id : before.graph.values()) {
    const ir::Value &was = before.graph.value(id), &is = model.graph.value(id);
    EXPECT_EQ(is.name, was.name);
    EXPECT_EQ(is.constant.has_value(), was.constant.has_value());
    if (was.constant) {
      EXPECT_FALSE(is.constant->identical(*was.constant)) << was.name;
    }
  }
  EXPECT_EQ(model.graph.nodes(), before.graph.nodes());
  const Tensor logits = ir::evaluate(model, small_batch().inputs).at("logits");
  const Tensor ours = trainer->forward(small_batch().inputs).at("logits");
  for (std::size_t i = 0; i < 40; ++i) EXPECT_NEAR(logits.data<float>()[i], ours.data<float>()[i], 1e-4);
}

TEST(WriteBack, RefusesAnotherModel) {
  const auto trainer = factory().create(small_network(), nullptr, plain_options());
  ir::Model other = linear_model();
  EXPECT_EQ(thrown_by([&] { trainer->write_back(other); }).code(), ErrorCode::kBadInput);
}

TEST(Precision, Bf16TrainsToo) {
  exec::TrainerOptions options = plain_options();
  options.precision = "bf16";
  options.optimizer.momentum = 0.9;
  const ir::Model model = small_network();
  const auto trainer = factory().create(model, &model, options);
  EXPECT_NE(trainer->description().find("bf16"), std::string::npos);
  const auto reference = factory().create(model, nullptr, plain_options());
  EXPECT_NEAR(trainer->step(small_batch(), 0).loss, reference->step(small_batch(), 0).loss, 0.05);
  const double first = trainer->step(small_batch(), 0.1).loss;
  for (int i = 0; i < 20; ++i) trainer->step(small_batch(), 0.1);
  EXPECT_LT(trainer->step(small_batch(), 0.1).loss, 0.8 * first);
}

TEST(Errors, DivergenceNamesTheStepAndChangesNothing) {
  const auto trainer = factory().create(linear_model(), nullptr, plain_options());
  data::Batch batch = linear_batch();
  trainer->step(batch, 0.1);
  const std::vector<Tensor> before = weights_of(*trainer);
  batch.inputs["x"].mutable_data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  const Error error = thrown_by([&] { trainer->step(batch, 0.1); });
  EXPECT_EQ(error.code(), ErrorCode::kDiverged);
  EXPECT_EQ(error.subject(), "step 1");
  const std::vector<Tensor> after = weights_of(*trainer);
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(before[i].identical(after[i]));
}

TEST(Errors, RefusalsNameNodeAndReason) {
  Builder b;
  b.input("x", {2, 3, 4, 4}).constant("m", random_tensor({3}, 1)).constant("v", random_tensor({3}, 2, 0.1F, 1));
  b.node("MaxPool", {"x"}, {"p", "indices"}, {{"kernel_shape", Ints{2, 2}}}).node("Mystery", {"p"}, {"q"});
  b.node("Flatten", {"q"}, {"f"}).node("Flatten", {"indices"}, {"g"});
  const ir::Model model = b.build({"f", "g"});
  const std::vector<exec::Refusal> refusals = factory().refusals(model);
  ASSERT_EQ(refusals.size(), 2U);
  EXPECT_EQ(refusals[0].node, "MaxPool_p");
  EXPECT_NE(refusals[0].reason.find("output 1 is used"), std::string::npos);
  EXPECT_EQ(refusals[1].op_type, "Mystery");
  const Error error = thrown_by([&] { factory().create(model, nullptr, plain_options()); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_NE(std::string(error.what()).find("Mystery"), std::string::npos);
  EXPECT_NE(std::string(error.what()).find("MaxPool"), std::string::npos);
  EXPECT_TRUE(factory().refusals(small_network()).empty());
}

TEST(Errors, NameWhatIsWrongWithABatch) {
  const auto trainer = factory().create(linear_model(), nullptr, plain_options());
  data::Batch batch = linear_batch();
  batch.labels[1] = 4;
  EXPECT_EQ(thrown_by([&] { trainer->step(batch, 0.1); }).subject(), "label 4");
  batch = linear_batch();
  batch.labels.clear();
  EXPECT_EQ(thrown_by([&] { trainer->step(batch, 0.1); }).code(), ErrorCode::kBadInput);
  batch.inputs["x"] = random_tensor({2, 5}, 1);
  EXPECT_EQ(thrown_by([&] { trainer->forward(batch.inputs); }).subject(), "input 'x'");
  EXPECT_EQ(thrown_by([&] { trainer->forward({{"y", batch.inputs["x"]}}); }).subject(), "input 'y'");
  EXPECT_EQ(thrown_by([&] { trainer->forward({{"x", Tensor(DType::kInt32, {2, 3})}}); }).got(), "int32");
  EXPECT_EQ(thrown_by([&] { trainer->set_parameter("v", Tensor()); }).subject(), "v");
}

TEST(Errors, OptionsAreChecked) {
  const ir::Model model = linear_model();
  const auto code_of = [&](auto change) {
    exec::TrainerOptions options = plain_options();
    change(options);
    return thrown_by([&] { factory().create(model, nullptr, options); }).code();
  };
  EXPECT_EQ(code_of([](auto& o) { o.optimizer.kind = "rmsprop"; }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([](auto& o) { o.precision = "f8"; }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([](auto& o) { o.device = "toaster"; }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([](auto& o) { o.device = "cuda:63"; }), ErrorCode::kUnsupported);
  EXPECT_EQ(code_of([](auto& o) { o.loss.alpha = 0.5; }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([](auto& o) { o.loss.label_smoothing = 1; }), ErrorCode::kUsage);
  EXPECT_EQ(code_of([](auto& o) { o.threads = 0; }), ErrorCode::kUsage);
}

}  // namespace
}  // namespace pare::train
