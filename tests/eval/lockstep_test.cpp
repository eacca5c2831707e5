#include "eval/lockstep.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "pare/error.h"

namespace pare::eval {
namespace {

/// Shows named values one after the other; value "v7" holds 7 plus an offset.
class ShowingExecutor : public exec::Executor {
 public:
  ShowingExecutor(std::vector<std::string> order, float offset) : order_(std::move(order)), offset_(offset) {}
  NamedTensors run(const NamedTensors&) override { return {}; }
  NamedTensors observe(const NamedTensors&, const exec::Observer& observer) override {
    for (const std::string& name : order_) {
      if (name == "fail") throw Error(ErrorCode::kInternal, name, "as asked");
      const float value = static_cast<float>(std::stoi(name.substr(1))) + offset_;
      alive = std::make_shared<std::vector<float>>(1, value);
      observer(name, Tensor::view(DType::kFloat32, {1}, alive->data(), nullptr));
      (*alive)[0] = -1;  // as an arena would: the content is gone after the call
    }
    return {{"y", Tensor::scalar(offset_)}};
  }
  std::vector<exec::PlanStep> plan(const std::map<std::string, Dims>&) override { return {}; }
  std::vector<exec::StepTime> profile(const NamedTensors&, int) override { return {}; }
  exec::MemoryUse memory(const std::map<std::string, Dims>&) override { return {}; }
  std::shared_ptr<std::vector<float>> alive;

 private:
  std::vector<std::string> order_;
  float offset_;
};

const std::map<std::string, std::size_t> kLayers = {{"v0", 0}, {"v1", 1}, {"v2", 2}, {"v3", 3}};
const NamedTensors kNoInputs;

TEST(Lockstep, PairsEveryLayerWhateverTheOrder) {
  std::vector<std::string> order{"v0", "v1", "v2", "v3"};
  do {
    ShowingExecutor a({"v0", "v1", "v2", "v3"}, 0), b(order, 100);
    std::vector<std::size_t> seen;
    const auto [out_a, out_b] = run_in_lockstep({a, kNoInputs, kLayers}, {b, kNoInputs, kLayers},
                                                [&](std::size_t layer, const Tensor& x, const Tensor& y) {
                                                  EXPECT_EQ(x.data<float>()[0], static_cast<float>(layer));
                                                  EXPECT_EQ(y.data<float>()[0], static_cast<float>(layer) + 100);
                                                  seen.push_back(layer);
                                                });
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(seen, (std::vector<std::size_t>{0, 1, 2, 3}));
    EXPECT_EQ(out_a.at("y").data<float>()[0], 0);
    EXPECT_EQ(out_b.at("y").data<float>()[0], 100);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Lockstep, InputsStandForTheirLayers) {
  ShowingExecutor a({"v1"}, 0), b({"v0", "v1"}, 5);
  const NamedTensors inputs{{"x", Tensor::from({1}, std::vector<float>{0})}};
  const std::map<std::string, std::size_t> layers_a{{"x", 0}, {"v1", 1}};
  int pairs = 0;
  run_in_lockstep({a, inputs, layers_a}, {b, kNoInputs, kLayers}, [&](std::size_t, const Tensor& x, const Tensor& y) {
    EXPECT_EQ(x.data<float>()[0] + 5, y.data<float>()[0]);
    ++pairs;
  });
  EXPECT_EQ(pairs, 2);
}

TEST(Lockstep, FailureOfEitherSideAndOfTheObserverReachesTheCaller) {
  const PairObserver nothing = [](std::size_t, const Tensor&, const Tensor&) {};
  for (bool first : {true, false}) {
    ShowingExecutor good({"v0", "v1", "v2"}, 0), bad({"v0", "fail", "v2"}, 0);
    ShowingExecutor &a = first ? bad : good, &b = first ? good : bad;
    EXPECT_THROW(run_in_lockstep({a, kNoInputs, kLayers}, {b, kNoInputs, kLayers}, nothing), Error);
  }
  ShowingExecutor a({"v0", "v1"}, 0), b({"v0", "v1"}, 0);
  EXPECT_THROW(run_in_lockstep({a, kNoInputs, kLayers}, {b, kNoInputs, kLayers},
                               [](std::size_t, const Tensor&, const Tensor&) { throw std::runtime_error("observer"); }),
               std::runtime_error);
}

}  // namespace
}  // namespace pare::eval
