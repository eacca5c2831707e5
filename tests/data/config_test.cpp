#include <set>

#include "data/fixture.h"
#include "data/reader.h"

namespace pare::data {
namespace {

class Config : public DataTest {
 protected:
  void SetUp() override {
    DataTest::SetUp();
    write("i", idx({20, 4, 4}, std::vector<std::uint8_t>(320, 7)));
    std::vector<std::uint8_t> labels(20);
    for (std::size_t i = 0; i < 20; ++i) labels[i] = static_cast<std::uint8_t>(i % 3);
    write("l", idx({20}, labels));
  }
  const std::string split_ = "{format: idx, images: i, labels: l}";
};

TEST_F(Config, UnknownKeysGetASuggestionAndTheirPlace) {
  expect_error(
      "train: " + split_ + "\nprepocess: {}", ErrorCode::kUsage,
      {"data.yaml line 2: prepocess: unknown key (did you mean 'preprocess'?)", "one of train, val, test, preprocess"});
  expect_error("train: {format: idx, image: i}", ErrorCode::kUsage,
               {"train.image: unknown key (did you mean 'images'?)"});
  expect_error("train: {format: idy, images: i}", ErrorCode::kUsage,
               {"train.format: unknown format (did you mean 'idx'?)", "imagefolder"});
  expect_error("train: " + split_ + "\npreprocess: {scal: 3}", ErrorCode::kUsage,
               {"preprocess.scal", "did you mean 'scale'?"});
  expect_error("train: {format: idx, images: i, augment: {flip: true}}", ErrorCode::kUsage,
               {"train.augment.flip", "'hflip'"});
}

TEST_F(Config, MalformedYaml) {
  expect_error("train: {format: idx", ErrorCode::kUsage, {"data.yaml line", "is not YAML"});
  expect_error("- a\n- b", ErrorCode::kUsage, {"is not a YAML map"});
  expect_error("", ErrorCode::kUsage, {"is not a YAML map", "nothing"});
  expect_error("train: " + split_ + "\ntrain: " + split_, ErrorCode::kUsage, {"line 2", "'train' is given twice"});
  expect_error("preprocess: {scale: 255}", ErrorCode::kUsage, {"names no data"});
  expect_error("train: idx", ErrorCode::kUsage, {"train: must be a map", "'idx'"});
  expect_error("train: {images: i}", ErrorCode::kUsage, {"'format' is missing"});
  expect_error("train: {format: idx}", ErrorCode::kUsage, {"train: the key 'images' is missing"});
  expect_failure([&] { open_dataset(folder_ / "none.yaml", ModelPorts{}); }, ErrorCode::kBadInput,
                 {"none.yaml: no such file"});
}

TEST_F(Config, ValuesOutOfRange) {
  const std::vector<std::pair<std::string, std::string>> cases{{"scale: 0", "preprocess.scale"},
                                                               {"scale: abc", "must be a number"},
                                                               {"std: [0]", "preprocess.std"},
                                                               {"mean: [x]", "must hold numbers"},
                                                               {"mean: [0.1, 0.2]", "one for each channel"},
                                                               {"resize: 0", "preprocess.resize"},
                                                               {"resize: [1, 2, 3]", "one number or [height, width]"},
                                                               {"interpolation: bilinar", "did you mean 'bilinear'?"},
                                                               {"layout: NHCW", "did you mean"},
                                                               {"color: blue", "one of rgb, bgr, gray"},
                                                               {"crop: 5", "smaller than preprocess.crop"}};
  for (const auto& [setting, part] : cases) {
    const ErrorCode code = setting == "crop: 5" ? ErrorCode::kBadInput : ErrorCode::kUsage;
    expect_error("train: " + split_ + "\npreprocess: {" + setting + "}", code, {part});
  }
  expect_error("train: {format: idx, images: i, augment: {pad_crop: -1}}", ErrorCode::kUsage,
               {"train.augment.pad_crop"});
  expect_error("train: {format: idx, images: i, augment: {hflip: maybe}}", ErrorCode::kUsage, {"true or false"});
  expect_error("test: {format: idx, images: i, augment: {hflip: true}}", ErrorCode::kUsage,
               {"test.augment", "belongs to train"});
}

TEST_F(Config, HoldsOutATenthByDefault) {
  const Dataset data = open("train: " + split_);
  EXPECT_EQ(data.train->size(), 18);
  EXPECT_EQ(data.val->size(), 2);
  EXPECT_EQ(open("train: " + split_ + "\nval: {holdout: 0.25}").val->size(), 5);
  EXPECT_FALSE(open("train: " + split_ + "\nval: {holdout: 0}").val);
  const Dataset own = open("train: " + split_ + "\nval: " + split_);
  EXPECT_EQ(own.train->size(), 20);
  EXPECT_EQ(own.val->size(), 20);
  EXPECT_EQ(own.description, "idx, 20 train, 20 val");
  EXPECT_FALSE(open("test: " + split_).val);
  for (const char* bad : {"1", "-0.1", "x"}) {
    expect_error("train: " + split_ + "\nval: {holdout: " + bad + "}", ErrorCode::kUsage, {"val.holdout"});
  }
  expect_error("val: {holdout: 0.1}", ErrorCode::kUsage, {"val.holdout", "needs a train split"});
}

TEST_F(Config, TrainAndValPartTheSamples) {
  std::vector<std::uint8_t> pixels(100), labels(100);
  for (std::size_t i = 0; i < 100; ++i) pixels[i] = labels[i] = static_cast<std::uint8_t>(i);
  write("hundred", idx({100, 1, 1}, pixels));
  write("names", idx({100}, labels));
  const Dataset data = open("train: {format: idx, images: hundred, labels: names}");
  std::set<std::int64_t> seen;
  for (const auto& part : {data.train, data.val}) {
    for (std::int64_t i = 0; i < part->size(); ++i) {
      const Batch batch = part->batch({i});
      EXPECT_EQ(only_input(batch).data<float>()[0], static_cast<float>(batch.labels[0]));
      EXPECT_TRUE(seen.insert(batch.labels[0]).second);
    }
  }
  EXPECT_EQ(seen.size(), 100u);
  const Dataset again = open("train: {format: idx, images: hundred, labels: names}");
  for (std::int64_t i = 0; i < 10; ++i) EXPECT_EQ(again.val->batch({i}).labels, data.val->batch({i}).labels);
}

TEST_F(Config, SubsetsAndBounds) {
  const Dataset data = open("test: " + split_);
  const auto subset = data.test->subset({5, 4, 5});
  EXPECT_EQ(subset->size(), 3);
  EXPECT_EQ(subset->classes(), 3);
  EXPECT_EQ(subset->batch({0, 1}).labels, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(subset->subset({1})->batch({0}).labels, (std::vector<std::int64_t>{1}));
  expect_failure([&] { subset->batch({3}); }, ErrorCode::kInternal, {"no sample 3"});
  expect_failure([&] { subset->batch({}); }, ErrorCode::kInternal, {"at least one"});
}

TEST_F(Config, FingerprintFollowsDataAndSettings) {
  const auto print = [&](const std::string& yaml) { return open(yaml).test->fingerprint(); };
  const std::string base = print("test: " + split_);
  EXPECT_EQ(print("test: " + split_), base);
  EXPECT_EQ(print("# a remark\ntest:   " + split_), base);
  EXPECT_NE(print("test: " + split_ + "\npreprocess: {scale: 255}"), base);
  EXPECT_NE(open("test: " + split_).test->subset({0})->fingerprint(), base);
  fs::last_write_time(folder_ / "l", fs::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_NE(print("test: " + split_), base);
}

TEST_F(Config, ReadersAreTheRows) {
  ASSERT_EQ(readers().size(), reader_table().size());
  std::set<std::string> names;
  for (const ReaderInfo& info : readers()) {
    names.insert(info.name);
    EXPECT_FALSE(info.summary.empty());
    expect_error("test: {format: " + info.name + ", bogus: 1}", ErrorCode::kUsage, {"test.bogus: unknown key"});
  }
  EXPECT_EQ(names, (std::set<std::string>{"idx", "cifar", "imagefolder", "csv", "npz", "npy"}));
}

}  // namespace
}  // namespace pare::data
