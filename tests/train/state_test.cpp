// Saving, resuming and repeating: bit for bit.
#include <omp.h>

#include "train/fixture.h"

namespace pare::train {
namespace {

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

TEST(Determinism, CallersThreadsComeBack) {
  omp_set_num_threads(3);
  exec::TrainerOptions options = plain_options();
  options.threads = 2;
  factory().create(linear_model(), nullptr, options)->step(linear_batch(), 0.1);
  EXPECT_EQ(omp_get_max_threads(), 3);
}

}  // namespace
}  // namespace pare::train
