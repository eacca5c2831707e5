// The trainer as its interface promises: parameters, write-back, precision, errors.
#include <limits>

#include "pare_build_id.h"
#include "train/fixture.h"

namespace pare::train {
namespace {

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

TEST(Expansions, KeepWeightsThatTheModelHolds) {
  Builder b(17);
  b.free_input("x", "batch", {32}).constant("v", random_tensor({32, 32}, 1, 0.2F));
  Tensor packed(DType::kUint8, {4, 1, 16});
  b.constant("q", packed).constant("s", random_tensor({4}, 2, 0.1F, 1)).constant("c", random_tensor({4}, 3));
  b.node("MatMul", {"x", "v"}, {"h"});
  b.node(
      "com.microsoft.MatMulNBits", {"h", "q", "s"}, {"m"},
      {{"K", std::int64_t{32}}, {"N", std::int64_t{4}}, {"bits", std::int64_t{4}}, {"block_size", std::int64_t{32}}});
  b.node("Add", {"m", "c"}, {"logits"});
  const ir::Model model = b.build({"logits"});
  const auto trainer = factory().create(model, nullptr, plain_options());
  EXPECT_EQ(trainer->parameters(), (std::vector<std::string>{"v", "c"}));  // not the weight that 4 bits hold
  trainer->step(batch_for({2, 32}, 4), 0.1);
  ir::Model trained = model;
  trainer->write_back(trained);
  EXPECT_EQ(trained.graph.node(trained.graph.nodes()[1]).op_type, "MatMulNBits");
  EXPECT_FALSE(trained.graph.constant(trained.graph.find_value("c"))->identical(random_tensor({4}, 3)));
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
  EXPECT_EQ(refusals[0].opset, 17);
  EXPECT_EQ(refusals[0].inputs, std::vector<std::string>{"float32 [2, 3, 4, 4]"});
  EXPECT_EQ(refusals[1].op_type, "Mystery");
  const Error error = thrown_by([&] { factory().create(model, nullptr, plain_options()); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_NE(std::string(error.what()).find("Mystery, opset 17, inputs float32 [2, 3, 3, 3]"), std::string::npos);
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
