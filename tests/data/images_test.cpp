#include "data/fixture.h"
#include "data/image_file.h"

namespace pare::data {
namespace {

class Images : public DataTest {
 protected:
  int at(const Tensor& image, std::int64_t i) const { return image.data<std::uint8_t>()[static_cast<std::size_t>(i)]; }
};

TEST_F(Images, PngIsExact) {
  const Tensor rgb = pattern(5, 7, 3);
  EXPECT_TRUE(read_image(write("a.png", png(rgb))).identical(rgb));
  const Tensor gray = read_image(write("g.png", png(pattern(5, 7, 1))));
  ASSERT_EQ(gray.dims(), (Dims{5, 7, 3}));
  EXPECT_EQ(at(gray, 3), at(pattern(5, 7, 1), 1));
  EXPECT_EQ(at(gray, 5), at(gray, 3));
  const Tensor alpha = read_image(write("t.png", png(Tensor::from<std::uint8_t>({1, 1, 4}, {9, 8, 7, 0}))));
  EXPECT_EQ((std::vector<int>{at(alpha, 0), at(alpha, 1), at(alpha, 2)}), (std::vector<int>{9, 8, 7}));
}

TEST_F(Images, JpegIsClose) {
  const Tensor red = read_image(write("a.jpg", jpeg(plain(16, 24, {200, 30, 60}))));
  ASSERT_EQ(red.dims(), (Dims{16, 24, 3}));
  for (std::int64_t i = 0; i < red.numel(); i += 3) {
    ASSERT_NEAR(at(red, i), 200, 3);
    ASSERT_NEAR(at(red, i + 1), 30, 3);
    ASSERT_NEAR(at(red, i + 2), 60, 3);
  }
  const Tensor gray = read_image(write("g.jpg", jpeg(plain(8, 8, {90}))));
  EXPECT_EQ(gray.dims(), (Dims{8, 8, 3}));
  EXPECT_NEAR(at(gray, 0), 90, 2);
}

TEST_F(Images, ContentDecidesNotTheName) {
  EXPECT_EQ(read_image(write("really-a-png.jpg", png(pattern(2, 2, 3)))).dims(), (Dims{2, 2, 3}));
}

TEST_F(Images, DamageIsNamed) {
  expect_failure([&] { read_image(folder_ / "none.jpg"); }, ErrorCode::kBadInput, {"none.jpg: no such file"});
  expect_failure([&] { read_image(write("e.jpg", "")); }, ErrorCode::kBadInput, {"e.jpg: the image file is empty"});
  expect_failure([&] { read_image(write("t.jpg", "hello")); }, ErrorCode::kBadInput, {"neither a jpeg nor a png"});
  const std::string picture = jpeg(pattern(64, 64, 3)), drawing = png(pattern(64, 64, 3));
  for (const std::size_t part : {4, 3, 2}) {
    const auto cut = [&](const std::string& content) {
      return content.substr(0, content.size() - content.size() / part);
    };
    expect_failure([&] { read_image(write("t.jpg", cut(picture))); }, ErrorCode::kBadInput,
                   {"t.jpg: the image is damaged"});
    expect_failure([&] { read_image(write("t.png", cut(drawing))); }, ErrorCode::kBadInput,
                   {"t.png: the image is damaged"});
  }
  expect_failure([&] { read_image(write("s.jpg", picture.substr(0, 10))); }, ErrorCode::kBadInput, {"damaged"});
}

class ImageFolder : public Images {};

TEST_F(ImageFolder, ClassesAreSortedSubfolders) {
  write("d/dog/1.png", png(plain(4, 6, {3, 3, 3})));
  write("d/cat/b.PNG", png(plain(4, 6, {2, 2, 2})));
  write("d/cat/deep/a.jpeg", jpeg(plain(4, 6, {100, 100, 100})));
  write("d/cat/readme.txt", "no image");
  write("d/.cache/x.png", "hidden");
  const Dataset data = open("test: {format: imagefolder, path: d}", {{"in", DType::kFloat32, {-1, 3, 4, 6}}}, 2);
  EXPECT_EQ(data.test->size(), 3);
  EXPECT_EQ(data.test->classes(), 2);
  const Batch batch = data.test->batch({0, 1, 2});
  EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{0, 0, 1}));
  EXPECT_EQ(batch.inputs.at("in").dims(), (Dims{3, 3, 4, 6}));
  EXPECT_EQ(batch.inputs.at("in").data<float>()[0], 2);
  EXPECT_EQ(batch.inputs.at("in").data<float>()[144], 3);
}

TEST_F(ImageFolder, LooseImagesHaveNoLabels) {
  write("d/1.png", png(plain(2, 2, {1, 1, 1})));
  write("d/2.png", png(plain(2, 2, {2, 2, 2})));
  const Dataset data = open("test: {format: imagefolder, path: d}");
  EXPECT_FALSE(data.test->labelled());
  EXPECT_EQ(data.test->size(), 2);
  write("d/cat/3.png", png(plain(2, 2, {3, 3, 3})));
  expect_error("test: {format: imagefolder, path: d}", ErrorCode::kBadInput, {"beside class folders", "1.png"});
}

TEST_F(ImageFolder, Faults) {
  const std::string yaml = "test: {format: imagefolder, path: d}";
  expect_error(yaml, ErrorCode::kBadInput, {"/d: no such folder"});
  fs::create_directories(folder_ / "d");
  expect_error(yaml, ErrorCode::kBadInput, {"/d: names no images"});
  fs::create_directories(folder_ / "d/empty");
  expect_error(yaml, ErrorCode::kBadInput, {"/d/empty: the class folder holds no"});
  write("d/empty/1.png", png(plain(4, 4, {1, 2, 3})));
  expect_error(yaml, ErrorCode::kBadInput, {"data.yaml line 1: test", "expected 3, the model's, got 1"}, {}, 3);
  write("f", "x");
  expect_error("test: {format: imagefolder, path: f}", ErrorCode::kBadInput, {"is a file, not a folder"});
}

TEST_F(ImageFolder, SizesMustAgreeInTheEnd) {
  write("d/a/1.png", png(pattern(8, 8, 3)));
  write("d/a/2.png", png(pattern(8, 12, 3)));
  const std::string yaml = "test: {format: imagefolder, path: d}\n";
  expect_failure(
      [&] {
        open(yaml).test->batch({0, 1});
      },
      ErrorCode::kBadInput, {"2.png", "differ in size", "preprocess.resize"});
  expect_failure(
      [&] {
        open(yaml, {{"x", DType::kFloat32, {-1, 3, 8, 8}}}).test->batch({1});
      },
      ErrorCode::kBadInput, {"2.png", "model wants image 3x8x8 (NCHW), data has 8x12x3", "resize: [8, 8]"});
  const std::vector<InputSpec> inputs{{"x", DType::kFloat32, {-1, 3, 4, 4}}};
  EXPECT_EQ(only_input(open(yaml + "preprocess: {resize: [4, 4]}", inputs).test->batch({0, 1})).dims(),
            (Dims{2, 3, 4, 4}));
  EXPECT_EQ(only_input(open(yaml + "preprocess: {resize: 6, crop: 4}", inputs).test->batch({0, 1})).dims(),
            (Dims{2, 3, 4, 4}));
}

TEST_F(ImageFolder, ModelInputs) {
  write("d/a/1.png", png(plain(4, 4, {10, 20, 30})));
  const std::string yaml = "test: {format: imagefolder, path: d}\n";
  const auto input = [](DType dtype, Dims dims) { return std::vector<InputSpec>{{"x", dtype, std::move(dims)}}; };
  expect_error(yaml, ErrorCode::kBadInput, {"1x4x4 (NCHW), data has 4x4x3", "{color: gray}"},
               input(DType::kFloat32, {1, 1, 4, 4}));
  expect_error(yaml, ErrorCode::kBadInput, {"4x4x3 (NHWC)", "{layout: NHWC}"}, input(DType::kFloat32, {1, 4, 4, 3}));
  expect_error(yaml, ErrorCode::kBadInput, {"is not an image", "expected 48"}, input(DType::kFloat32, {1, 48}));
  expect_error(yaml, ErrorCode::kBadInput, {"cannot be fed with images", "int64"}, input(DType::kInt64, {1, 3, 4, 4}));
  expect_error(yaml + "preprocess: {scale: 255}", ErrorCode::kBadInput, {"takes uint8 pixels"},
               input(DType::kUint8, {1, 3, 4, 4}));
  expect_error(yaml, ErrorCode::kBadInput, {"models of one input", "a, b"},
               {{"a", DType::kFloat32, {1, 3, 4, 4}}, {"b", DType::kFloat32, {1, 3, 4, 4}}});
  const Batch bytes = open(yaml + "preprocess: {layout: NHWC}", input(DType::kUint8, {1, 4, 4, 3})).test->batch({0});
  EXPECT_EQ(bytes.inputs.at("x").data<std::uint8_t>()[1], 20);
  const Batch planes = open(yaml, input(DType::kUint8, {1, 3, 4, 4})).test->batch({0});
  EXPECT_EQ(planes.inputs.at("x").data<std::uint8_t>()[16], 20);
  const Batch half = open(yaml, input(DType::kFloat16, {-1, 3, -1, -1})).test->batch({0});
  EXPECT_EQ(half.inputs.at("x").dtype(), DType::kFloat16);
  const Batch gray = open(yaml + "preprocess: {color: gray}", input(DType::kFloat32, {1, 1, 4, 4})).test->batch({0});
  EXPECT_EQ(gray.inputs.at("x").data<float>()[0], 18);
}

class Csv : public Images {
 protected:
  void SetUp() override {
    Images::SetUp();
    write("img/a.png", png(plain(2, 2, {1, 1, 1})));
    write("img/b, c.png", png(plain(2, 2, {2, 2, 2})));
  }
  const std::string yaml_ = "test: {format: csv, file: t.csv}";
};

TEST_F(Csv, HeadersQuotesAndSpaces) {
  for (const char* header : {"", "file,label\n", "\xef\xbb\xbfpath, class\r\n\r\n"}) {
    write("t.csv", std::string(header) + "img/a.png,4\r\n\"img/b, c.png\", 1 \n\n");
    const Dataset data = open(yaml_);
    ASSERT_EQ(data.test->size(), 2) << header;
    const Batch batch = data.test->batch({0, 1});
    EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{4, 1}));
    EXPECT_EQ(only_input(batch).data<float>()[12], 2);
    EXPECT_EQ(data.test->classes(), 5);
  }
}

TEST_F(Csv, WithoutLabels) {
  write("t.csv", "file\nimg/a.png\n");
  EXPECT_FALSE(open(yaml_).test->labelled());
}

TEST_F(Csv, FaultsNameTheLine) {
  expect_error(yaml_, ErrorCode::kBadInput, {"t.csv: no such file"});
  write("t.csv", "file,label\n");
  expect_error(yaml_, ErrorCode::kBadInput, {"t.csv: names no images"});
  write("t.csv", "img/a.png,1\nimg/x.png,2\n");
  expect_error(yaml_, ErrorCode::kBadInput, {"t.csv line 2: no such image file", "img/x.png"});
  write("t.csv", "img/a.png,1\nimg/a.png,cat\n");
  expect_error(yaml_, ErrorCode::kBadInput, {"t.csv line 2: the label is not a whole number", "'cat'"});
  write("t.csv", "img/a.png,1\nimg/a.png\n");
  expect_error(yaml_, ErrorCode::kBadInput, {"line 2", "another number of columns"});
  write("t.csv", "img/a.png,1,2\n");
  expect_error(yaml_, ErrorCode::kBadInput, {"line 1: has too many columns"});
  write("t.csv", "\"img/a.png,1\n");
  expect_error(yaml_, ErrorCode::kBadInput, {"line 1: a quote is not closed"});
  write("t.csv", "img/a.png,1\nimg/a.png,7\n");
  expect_error(yaml_, ErrorCode::kBadInput,
               {"t.csv line 2 (", "img/a.png): the label is out of range", "0 to 4", "got 7"}, {}, 5);
  write("t.csv", "img/a.png,-1\n");
  expect_error(yaml_, ErrorCode::kBadInput, {"out of range", "got -1"});
}

class Cifar : public DataTest {};

TEST_F(Cifar, PlanesBecomePixels) {
  std::string record(3073, '\0');
  record[0] = 6;
  record[1] = 11;         // red of the first pixel
  record[1 + 1024] = 12;  // green
  record[1 + 2048] = 13;  // blue
  write("a.bin", record);
  record[0] = 2;
  write("b.bin", record + record);
  const Dataset data = open("test: {format: cifar, files: [a.bin, b.bin]}\npreprocess: {layout: NHWC}");
  EXPECT_EQ(data.test->size(), 3);
  const Batch batch = data.test->batch({0, 2});
  EXPECT_EQ(batch.labels, (std::vector<std::int64_t>{6, 2}));
  const auto values = only_input(batch).data<float>();
  EXPECT_EQ((std::vector<float>{values[0], values[1], values[2], values[3]}), (std::vector<float>{11, 12, 13, 0}));
  write("c.bin", "\x01" + record);
  EXPECT_EQ(open("test: {format: cifar, files: c.bin, variant: cifar100}").test->batch({0}).labels[0], 2);
  expect_error("test: {format: cifar, files: c.bin}", ErrorCode::kBadInput, {"c.bin", "multiple of 3073", "3074"});
  expect_error("test: {format: cifar, files: c.bin, variant: cifar1}", ErrorCode::kUsage, {"test.variant"});
}

}  // namespace
}  // namespace pare::data
