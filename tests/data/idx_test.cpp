#include <numeric>

#include "data/fixture.h"

namespace pare::data {
namespace {

const std::string kFashion = "/usr/share/datasets/fashion-mnist/";  // Debian package dataset-fashion-mnist

std::string tiny_images(std::uint32_t count = 3) {
  std::vector<std::uint8_t> pixels(count * 4);
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{0});
  return idx({count, 2, 2}, pixels);
}

class Idx : public DataTest {};

TEST_F(Idx, PlainAndGzipHoldTheSame) {
  write("i", tiny_images());
  write("i.gz", gzip(tiny_images()));
  write("l", idx({3}, {2, 0, 1}));
  for (const char* name : {"i", "i.gz"}) {
    const Dataset data =
        open(std::string("test: {format: idx, images: ") + name + ", labels: l}\npreprocess: {scale: 2}");
    ASSERT_TRUE(data.test);
    EXPECT_FALSE(data.train);
    EXPECT_FALSE(data.val);
    EXPECT_EQ(data.description, "idx, 3 test");
    EXPECT_EQ(data.test->classes(), 3);
    const Batch batch = data.test->batch({2, 0});
    EXPECT_EQ(only_input(batch).dims(), (Dims{2, 1, 2, 2}));
    EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{1, 2}));
    EXPECT_EQ(batch.indices, (std::vector<std::int64_t>{2, 0}));
    const std::vector<float> wanted{4, 4.5, 5, 5.5, 0, 0.5, 1, 1.5};
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(only_input(batch).data<float>()[i], wanted[i]);
  }
}

TEST_F(Idx, WithoutLabels) {
  write("i", tiny_images());
  const Dataset data = open("test: {format: idx, images: i}");
  EXPECT_FALSE(data.test->labelled());
  EXPECT_EQ(data.test->classes(), 0);
  EXPECT_TRUE(data.test->batch({0}).labels.empty());
}

TEST_F(Idx, NamesWhatIsWrongWithAFile) {
  const std::string good = tiny_images(), yaml = "test: {format: idx, images: i, labels: l}";
  write("l", idx({3}, {0, 1, 2}));
  expect_error(yaml, ErrorCode::kBadInput, {"/i: no such file"});
  for (std::size_t length = 0; length < good.size(); ++length) {
    write("i", good.substr(0, length));
    expect_error(yaml, ErrorCode::kBadInput, {"/i: "});
  }
  expect_error(yaml, ErrorCode::kBadInput, {"truncated", "12 bytes for 3x2x2", "got 11"});
  write("i", good + "x");
  expect_error(yaml, ErrorCode::kBadInput, {"goes on after its last element"});
  write("i", gzip(good).substr(0, 20));
  expect_error(yaml, ErrorCode::kBadInput, {"/i: the gzip file is truncated"});
  write("i", "PK\3\4 something else");
  expect_error(yaml, ErrorCode::kBadInput, {"is not an idx file", "50 4b 03 04"});
  std::string floats = good;
  floats[2] = 0x0D;
  write("i", floats);
  expect_error(yaml, ErrorCode::kUnsupported, {"unsigned bytes"});
  write("i", idx({0, 2, 2}, {}));
  expect_error(yaml, ErrorCode::kBadInput, {"holds no images"});
  write("i", idx({2, 2, 2, 2}, std::vector<std::uint8_t>(16)));
  expect_error(yaml, ErrorCode::kBadInput, {"does not hold images"});
}

TEST_F(Idx, ChecksLabels) {
  write("i", tiny_images());
  write("l", idx({2}, {0, 1}));
  expect_error("test: {format: idx, images: i, labels: l}", ErrorCode::kBadInput,
               {"numbers of images and labels differ", "expected 3 labels, got 2"});
  write("l", idx({3}, {0, 9, 10}));
  expect_error("test: {format: idx, images: i, labels: l}", ErrorCode::kBadInput,
               {"/i image 2: the label is out of range", "0 to 9", "got 10"}, {}, 10);
  expect_error("test: {format: idx, images: l, labels: i}", ErrorCode::kBadInput, {"swapped?"});
  expect_error("test: {format: idx, images: i, labels: i}", ErrorCode::kBadInput, {"does not hold labels"});
}

TEST_F(Idx, FashionMnist) {
  if (!fs::exists(kFashion)) GTEST_SKIP() << "the package dataset-fashion-mnist is not installed";
  const Dataset data =
      open("train: {format: idx, images: " + kFashion + "train-images-idx3-ubyte.gz, labels: " + kFashion +
               "train-labels-idx1-ubyte.gz, augment: {pad_crop: 2, hflip: true}}\n"
               "test: {format: idx, images: " +
               kFashion + "t10k-images-idx3-ubyte.gz, labels: " + kFashion +
               "t10k-labels-idx1-ubyte.gz}\npreprocess: {scale: 255, mean: [0.2860], std: [0.3530]}",
           {{"image", DType::kFloat32, {-1, 1, 28, 28}}}, 10);
  EXPECT_EQ(data.description, "idx, 54000 train, 6000 val (held out), 10000 test");
  EXPECT_EQ(data.test->classes(), 10);
  double sum = 0, squares = 0;
  std::int64_t count = 0;
  std::vector<std::int64_t> per_class(10);
  for (std::int64_t start = 0; start < 6000; start += 500) {
    std::vector<std::int64_t> indices(500);
    std::iota(indices.begin(), indices.end(), start);
    const Batch batch = data.val->batch(indices, 0, 3);  // val is not augmented, whatever is asked
    ASSERT_EQ(batch.inputs.begin()->first, "image");
    for (const float value : only_input(batch).data<float>()) {
      sum += value;
      squares += value * value;
      ++count;
    }
    for (const std::int64_t label : batch.labels) ++per_class[static_cast<std::size_t>(label)];
    ASSERT_TRUE(only_input(batch).identical(only_input(data.val->batch(indices))));
  }
  EXPECT_NEAR(sum / static_cast<double>(count), 0, 0.02);
  EXPECT_NEAR(squares / static_cast<double>(count), 1, 0.02);
  for (const std::int64_t n : per_class) EXPECT_NEAR(static_cast<double>(n), 600, 100);
  EXPECT_FALSE(
      only_input(data.train->batch({0, 1, 2, 3}, 0, 0)).identical(only_input(data.train->batch({0, 1, 2, 3}))));
  expect_error("test: {format: idx, images: " + kFashion + "t10k-images-idx3-ubyte.gz}", ErrorCode::kBadInput,
               {"model wants image 3x224x224 (NCHW), data has 28x28x1",
                "preprocess: {color: rgb, resize: [224, 224]} would make it fit"},
               {{"x", DType::kFloat32, {-1, 3, 224, 224}}});
}

}  // namespace
}  // namespace pare::data
