// Padding that a model's mask hides: found by what the model does, not by names.
#include "compress/layerwise/hidden.h"

#include <gtest/gtest.h>

#include "fakes.h"

namespace pare::compress {
namespace {

constexpr std::int64_t kLength = 6;

/// Rows of ids with a mask that shows the first 2 + sample % 4 of them.
class TokenSplit : public data::Split {
 public:
  std::int64_t size() const override { return 12; }
  bool labelled() const override { return false; }
  std::int64_t classes() const override { return 0; }
  data::Batch batch(const std::vector<std::int64_t>& indices, std::uint64_t, std::int64_t) const override {
    data::Batch batch;
    batch.indices = indices;
    std::vector<std::int64_t> ids, mask;
    for (std::int64_t sample : indices)
      for (std::int64_t at = 0; at < kLength; ++at) {
        const bool shown = at < 2 + sample % 4;
        ids.push_back(shown ? (3 * sample + 5 * at) % 9 + 1 : 0);
        mask.push_back(shown);
      }
    const Dims dims = {static_cast<std::int64_t>(indices.size()), kLength};
    batch.inputs = {{"ids", Tensor::from(dims, ids)}, {"shows", Tensor::from(dims, mask)}};
    return batch;
  }
  std::shared_ptr<const Split> subset(std::vector<std::int64_t>) const override {
    return std::make_shared<TokenSplit>();
  }
  std::string fingerprint() const override { return "tokens"; }
};

/// ids, shows [N, S] → embedding → (· shows, where `masked`) → sum over S → product → [N, 3]
ir::Model tokens_model(bool masked) {
  Builder b;
  const std::vector<ir::Dim> dims = {ir::Dim::symbol("N"), kLength};
  ir::ValueId ids = b.model.graph.add_input("ids", DType::kInt64, ir::Shape(dims));
  ir::ValueId shows = b.model.graph.add_input("shows", DType::kInt64, ir::Shape(dims));
  ir::ValueId x = b.add("Gather", "embed", {b.constant("table", random_tensor({10, 4}, 1)), ids});
  ir::ValueId weight = b.add("Cast", "cast", {shows}, {{"to", std::int64_t{1}}});
  ir::ValueId column = b.add("Unsqueeze", "column", {weight, b.constant("axis", Tensor::from({1}, std::vector<std::int64_t>{2}))});
  ir::ValueId one = b.constant("one", Tensor::from({1}, std::vector<float>{1}));
  ir::ValueId kept = b.add("Mul", "mul", {x, masked ? column : b.add("Max", "max", {column, one})});
  ir::ValueId sum = b.add("ReduceSum", "sum", {kept, b.constant("over", Tensor::from({1}, std::vector<std::int64_t>{1}))},
                          {{"keepdims", std::int64_t{0}}});
  ir::Model model = b.finish(b.add("MatMul", "head", {sum, b.constant("w", random_tensor({4, 3}, 2))}));
  model.opsets[""] = 17;
  return model;
}

struct Setting {
  World world{::testing::UnitTest::GetInstance()->current_test_info()->name()};
  nlohmann::json options, record;
  Setting() { world.dataset = {std::make_shared<TokenSplit>(), nullptr, nullptr, "tokens"}; }
  HiddenPositions hidden(const ir::Model& model) {
    return HiddenPositions(model, StepContext{.options = options,
                                              .original = model,
                                              .dataset = world.dataset,
                                              .backend = world.backend,
                                              .trainer = world.trainer,
                                              .execution = {.threads = 1, .seed = 3},
                                              .control = world.control,
                                              .checkpoints = nullptr,
                                              .record = record,
                                              .store = nullptr});
  }
};

TEST(HiddenPositions, AreThoseThatChangeNothing) {
  Setting setting;
  const HiddenPositions hidden = setting.hidden(tokens_model(true));
  ASSERT_EQ(hidden.mask(), "shows");
  const NamedTensors inputs = setting.world.dataset.train->batch({0, 3}).inputs;  // shows 2 and 5
  const Tensor value = random_tensor({2, kLength, 4}, 5), shown = hidden.shown(value, inputs);
  ASSERT_EQ(shown.dims(), (Dims{7, 4}));
  for (std::size_t row = 0; row < 7; ++row)
    for (std::size_t i = 0; i < 4; ++i)
      EXPECT_EQ(shown.data<float>()[row * 4 + i],
                value.data<float>()[(row < 2 ? row : kLength + row - 2) * 4 + i]);
  const Tensor other = random_tensor({2, 4}, 6);
  EXPECT_TRUE(hidden.shown(other, inputs).identical(other)) << "no axis of positions";
}

TEST(HiddenPositions, AMaskThatTheModelDoesNotHeedHidesNothing) {
  Setting setting;
  const HiddenPositions hidden = setting.hidden(tokens_model(false));
  EXPECT_EQ(hidden.mask(), "");
  const Tensor value = random_tensor({2, kLength, 4}, 5);
  EXPECT_TRUE(hidden.shown(value, setting.world.dataset.train->batch({0, 3}).inputs).identical(value));
}

TEST(HiddenPositions, ImagesHaveNone) {
  World world("hidden_images");
  nlohmann::json options, record;
  const HiddenPositions hidden(world.model, StepContext{.options = options,
                                                        .original = world.model,
                                                        .dataset = world.dataset,
                                                        .backend = world.backend,
                                                        .trainer = world.trainer,
                                                        .execution = {.threads = 1, .seed = 3},
                                                        .control = world.control,
                                                        .checkpoints = nullptr,
                                                        .record = record,
                                                        .store = nullptr});
  EXPECT_EQ(hidden.mask(), "");
  EXPECT_EQ(world.backend.compiled, 0);
}

}  // namespace
}  // namespace pare::compress
