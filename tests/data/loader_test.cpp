#include "data/loader.h"

#include <atomic>
#include <set>
#include <thread>

#include "data/fixture.h"

namespace pare::data {
namespace {

/// Counts how many batches are being made or wait; fails on one sample when told to.
class FakeSplit : public Split {
 public:
  explicit FakeSplit(std::int64_t size, std::int64_t bad = -1) : size_(size), bad_(bad) {}
  std::int64_t size() const override { return size_; }
  bool labelled() const override { return true; }
  std::int64_t classes() const override { return size_; }
  Batch batch(const std::vector<std::int64_t>& indices, std::uint64_t, std::int64_t epoch) const override {
    ++made;
    for (const std::int64_t index : indices) {
      if (index == bad_) throw Error(ErrorCode::kBadInput, "sample " + std::to_string(index), "is bad");
    }
    Batch batch;
    batch.labels = batch.indices = indices;
    batch.inputs.emplace("", Tensor::scalar<std::int64_t>(epoch));
    return batch;
  }
  std::shared_ptr<const Split> subset(std::vector<std::int64_t>) const override { return nullptr; }
  std::string fingerprint() const override { return ""; }
  mutable std::atomic<int> made = 0;

 private:
  std::int64_t size_, bad_;
};

std::vector<std::vector<std::int64_t>> epoch_of(Loader& loader, std::int64_t epoch, std::int64_t first = 0) {
  std::vector<std::vector<std::int64_t>> batches;
  loader.start(epoch, first);
  while (auto batch = loader.next()) batches.push_back(batch->indices);
  return batches;
}

TEST(Loader, InOrderOnceEach) {
  Loader loader(std::make_shared<FakeSplit>(10), {.batch_size = 4});
  EXPECT_EQ(loader.batches(), 3);
  EXPECT_FALSE(loader.next());  // not started
  EXPECT_EQ(epoch_of(loader, 0), (std::vector<std::vector<std::int64_t>>{{0, 1, 2, 3}, {4, 5, 6, 7}, {8, 9}}));
  EXPECT_FALSE(loader.next());
  Loader dropping(std::make_shared<FakeSplit>(10), {.batch_size = 4, .drop_last = true});
  EXPECT_EQ(epoch_of(dropping, 0).size(), 2u);
}

TEST(Loader, ShuffleDependsOnSeedAndEpochNotOnWorkers) {
  const auto split = std::make_shared<FakeSplit>(1000);
  LoaderOptions options{.batch_size = 7, .shuffle = true, .seed = 5};
  Loader one(split, options);
  options.workers = 3;
  options.prefetch = 2;
  Loader three(split, options);
  options.seed = 6;
  Loader other(split, options);
  const auto epoch = epoch_of(one, 4);
  EXPECT_EQ(epoch, epoch_of(three, 4));
  EXPECT_NE(epoch, epoch_of(three, 5));
  EXPECT_NE(epoch, epoch_of(other, 4));
  std::set<std::int64_t> seen;
  for (const auto& batch : epoch) seen.insert(batch.begin(), batch.end());
  EXPECT_EQ(seen.size(), 1000u);
  const auto rest = epoch_of(three, 4, 100);  // a resumed epoch
  EXPECT_EQ(rest, (std::vector<std::vector<std::int64_t>>(epoch.begin() + 100, epoch.end())));
  EXPECT_TRUE(epoch_of(three, 4, 1000).empty());
}

TEST(Loader, PrefetchIsBounded) {
  const auto split = std::make_shared<FakeSplit>(1000);
  Loader loader(split, {.batch_size = 1, .workers = 3, .prefetch = 4});
  loader.start(0);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(loader.next());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(split->made, 24);
}

TEST(Loader, AugmentationGetsTheEpoch) {
  for (const bool augment : {false, true}) {
    Loader loader(std::make_shared<FakeSplit>(3), {.batch_size = 3, .augment = augment});
    loader.start(8);
    EXPECT_EQ(only_input(*loader.next()).data<std::int64_t>()[0], augment ? 8 : -1);
  }
}

TEST(Loader, ErrorsArriveInTheirTurn) {
  Loader loader(std::make_shared<FakeSplit>(100, 57), {.batch_size = 10, .workers = 3});
  for (int round = 0; round < 2; ++round) {
    loader.start(round);
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(loader.next());
    try {
      loader.next();
      FAIL();
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "sample 57: is bad");
    }
    EXPECT_FALSE(loader.next());
  }
}

TEST(Loader, StopsCleanlyInMidEpoch) {
  for (int i = 0; i < 50; ++i) {
    Loader loader(std::make_shared<FakeSplit>(1000), {.batch_size = 1, .workers = 3});
    loader.start(0);
    for (int k = 0; k < i % 5; ++k) loader.next();
    if (i % 2 == 0) loader.start(1);
  }
}

TEST(Loader, RefusesNonsense) {
  EXPECT_THROW(Loader(nullptr, {}), Error);
  EXPECT_THROW(Loader(std::make_shared<FakeSplit>(3), {.batch_size = 0}), Error);
}

class LoaderOnData : public DataTest {};

TEST_F(LoaderOnData, AugmentedBatchesAreTheSameForAnyWorkers) {
  std::vector<std::uint8_t> pixels(200 * 64), labels(200);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 7 % 251);
  write("i", idx({200, 8, 8}, pixels));
  write("l", idx({200}, labels));
  const Dataset data = open("train: {format: idx, images: i, labels: l, augment: {pad_crop: 2, hflip: true}}");
  std::vector<NamedTensors> first;
  for (const int workers : {1, 3}) {
    Loader loader(data.train, {.batch_size = 16, .shuffle = true, .augment = true, .workers = workers, .seed = 3});
    loader.start(2);
    std::size_t i = 0;
    while (auto batch = loader.next()) {
      if (workers == 1) {
        first.push_back(batch->inputs);
      } else {
        ASSERT_TRUE(only_input(*batch).identical(first.at(i).begin()->second));
      }
      ++i;
    }
    EXPECT_EQ(i, 12u);
    EXPECT_GE(loader.waited_s(), 0);
  }
}

}  // namespace
}  // namespace pare::data
