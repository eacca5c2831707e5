#include "data/preprocess.h"

#include "data/augment.h"
#include "data/color.h"
#include "data/fixture.h"
#include "data/resize.h"

namespace pare::data {
namespace {

std::vector<int> values_of(const Tensor& image) {
  const auto data = image.data<std::uint8_t>();
  return {data.begin(), data.end()};
}

struct ResizeCase {
  int height, width, out_height, out_width;
  const char* filter;
  std::vector<int> expected;
};

// From Pillow 11.3: Image.fromarray(pattern).resize((out_width, out_height), filter).
TEST(Resize, EqualsPillow) {
  const std::vector<ResizeCase> cases{
      {5, 7, 3, 4, "bilinear", {65,  119, 131, 130, 101, 138, 128, 156, 110, 162, 145, 134,
                                120, 101, 111, 136, 133, 130, 99,  115, 134, 132, 167, 152,
                                117, 176, 112, 89,  118, 155, 158, 60,  119, 167, 109, 92}},
      {5, 7, 3, 4, "bicubic", {59, 119, 129, 135, 97,  140, 127, 161, 109, 163, 147, 133, 120, 99, 111, 146, 137, 122,
                               95, 109, 136, 127, 172, 164, 119, 183, 110, 80,  119, 162, 161, 50, 117, 171, 109, 86}},
      {4, 5, 7, 9, "bilinear", {0,   59,  118, 12,  71,  130, 33,  92,  151, 53,  112, 171, 74,  133, 192, 95,
                                154, 213, 115, 174, 205, 136, 195, 83,  148, 207, 10,  36,  95,  154, 50,  109,
                                137, 73,  132, 109, 95,  113, 121, 118, 85,  144, 141, 109, 168, 153, 131, 172,
                                125, 154, 103, 108, 167, 62,  94,  153, 212, 110, 169, 149, 136, 195, 42,  162,
                                116, 42,  188, 9,   68,  215, 36,  95,  214, 62,  119, 108, 88,  135, 45,  104,
                                145, 152, 83,  142, 131, 104, 121, 95,  140, 85,  117, 119, 107, 153, 84,  143,
                                189, 120, 108, 196, 141, 86,  89,  106, 122, 26,  85,  144, 191, 12,  71,  140,
                                40,  93,  55,  88,  130, 68,  127, 176, 105, 164, 223, 152, 201, 128, 171, 214,
                                61,  76,  129, 109, 19,  78,  137, 102, 70,  129, 111, 108, 113, 124, 173, 86,
                                106, 165, 132, 79,  138, 197, 145, 112, 121, 182, 95,  72,  104, 109, 137, 58,
                                117, 176, 47,  106, 165, 92,  151, 125, 168, 227, 58,  130, 189, 105, 63,  122,
                                181, 140, 57,  116, 189, 20,  79,  122, 96,  155, 82,  141, 200}},
      {4, 5, 7, 9, "bicubic", {0,   48,  105, 1,   59,  124, 24,  82,  161, 44,  111, 183, 64,  144, 203, 83,  165, 241,
                               106, 184, 222, 142, 207, 66,  161, 219, 0,   25,  92,  158, 39,  108, 140, 70,  134, 109,
                               93,  114, 117, 115, 86,  145, 142, 103, 185, 152, 131, 186, 127, 162, 95,  112, 178, 49,
                               89,  156, 236, 107, 180, 161, 141, 212, 27,  169, 119, 17,  194, 1,   60,  237, 13,  91,
                               227, 54,  120, 99,  88,  141, 27,  106, 152, 174, 78,  147, 142, 102, 121, 88,  142, 78,
                               109, 116, 101, 163, 78,  137, 217, 125, 97,  211, 153, 74,  74,  98,  125, 0,   67,  154,
                               212, 0,   57,  149, 26,  84,  40,  79,  134, 45,  126, 196, 103, 170, 229, 168, 228, 126,
                               178, 233, 49,  67,  124, 105, 3,   62,  142, 95,  60,  133, 109, 105, 111, 131, 183, 78,
                               102, 181, 137, 73,  142, 201, 149, 105, 118, 191, 86,  61,  102, 108, 140, 49,  122, 188,
                               22,  103, 184, 84,  158, 130, 189, 250, 41,  140, 213, 95,  59,  118, 177, 142, 24,  112,
                               201, 0,   71,  124, 97,  162, 78,  159, 217}},
      {9, 4, 2, 4, "bilinear", {116, 96,  122, 94, 153, 111, 109, 111, 170, 168, 126, 106,
                                140, 149, 121, 45, 104, 145, 99,  97,  156, 150, 151, 105}},
      {9, 4, 2, 4, "bicubic", {112, 95,  123, 99, 158, 109, 111, 110, 169, 167, 122, 108,
                               145, 151, 119, 43, 102, 148, 97,  99,  158, 149, 152, 101}},
  };
  for (const ResizeCase& c : cases) {
    const Tensor result = resize(pattern(c.height, c.width, 3), c.out_height, c.out_width, c.filter);
    EXPECT_EQ(result.dims(), (Dims{c.out_height, c.out_width, 3}));
    EXPECT_EQ(values_of(result), c.expected) << c.filter << " to " << c.out_height << "x" << c.out_width;
  }
}

TEST(Resize, SameSizeIsUntouched) {
  const Tensor image = pattern(5, 7, 1);
  EXPECT_TRUE(resize(image, 5, 7, "bicubic").identical(image));
}

TEST(Resize, ShorterSide) {
  EXPECT_EQ(shorter_side_size(300, 451, 256), (std::pair{256, 384}));  // 384.85 is rounded down
  EXPECT_EQ(shorter_side_size(451, 300, 256), (std::pair{384, 256}));
  EXPECT_EQ(shorter_side_size(10, 10, 4), (std::pair{4, 4}));
}

TEST(Color, Conversions) {
  const Tensor rgb = Tensor::from<std::uint8_t>({1, 2, 3}, {255, 0, 0, 10, 20, 30});
  EXPECT_EQ(values_of(convert_color(rgb, "gray")), (std::vector<int>{76, 18}));
  EXPECT_EQ(values_of(convert_color(rgb, "bgr")), (std::vector<int>{0, 0, 255, 30, 20, 10}));
  EXPECT_TRUE(convert_color(rgb, "rgb").identical(rgb));
  const Tensor gray = Tensor::from<std::uint8_t>({1, 2, 1}, {7, 200});
  EXPECT_EQ(values_of(convert_color(gray, "rgb")), (std::vector<int>{7, 7, 7, 200, 200, 200}));
  const Tensor alpha = Tensor::from<std::uint8_t>({1, 1, 4}, {1, 2, 3, 0});
  EXPECT_EQ(values_of(convert_color(alpha, "rgb")), (std::vector<int>{1, 2, 3}));
}

TEST(Geometry, CropsTheCentre) {
  Preprocess settings;
  settings.crop = {2, 2};
  const Tensor image = pattern(5, 4, 1);
  const auto in = image.data<std::uint8_t>();
  // Margins 3 and 2: a top of 1.5 goes to the even 2.
  EXPECT_EQ(values_of(prepare_geometry(image, settings, "x")), (std::vector<int>{in[9], in[10], in[13], in[14]}));
}

TEST(Normalizer, ScalesShiftsAndLaysOut) {
  Preprocess settings;
  settings.scale = 255;
  settings.mean = {0.5, 0.25, 0};
  settings.std = {0.5, 2, 1};
  const Tensor image = Tensor::from<std::uint8_t>({1, 2, 3}, {255, 51, 0, 0, 102, 255});
  std::vector<float> out(6);
  Normalizer(settings, 3).write(image, out.data());
  const std::vector<float> planes{1, -1, (0.2f - 0.25f) / 2, (0.4f - 0.25f) / 2, 0, 1};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_FLOAT_EQ(out[i], planes[i]);
  settings.layout = "NHWC";
  Normalizer(settings, 3).write(image, out.data());
  const std::vector<float> pixels{1, (0.2f - 0.25f) / 2, 0, -1, (0.4f - 0.25f) / 2, 1};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_FLOAT_EQ(out[i], pixels[i]);
  EXPECT_EQ(delivered_dims(image, settings), (Dims{1, 2, 3}));
}

TEST(Augment, ShiftPadsWithBlackAndFlipMirrors) {
  const Tensor image = Tensor::from<std::uint8_t>({2, 3, 1}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(values_of(shift_and_flip(image, 1, 1, 1, false)), (std::vector<int>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(values_of(shift_and_flip(image, 1, 0, 0, false)), (std::vector<int>{0, 0, 0, 0, 1, 2}));
  EXPECT_EQ(values_of(shift_and_flip(image, 1, 2, 2, false)), (std::vector<int>{5, 6, 0, 0, 0, 0}));
  EXPECT_EQ(values_of(shift_and_flip(image, 1, 1, 2, true)), (std::vector<int>{0, 3, 2, 0, 6, 5}));
  EXPECT_EQ(values_of(shift_and_flip(image, 0, 0, 0, true)), (std::vector<int>{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(values_of(shift_and_flip(image, 9, 0, 18, false)), std::vector<int>(6));
}

TEST(Augment, DrawsFromSeedEpochAndSampleAlone) {
  const Tensor image = pattern(8, 8, 3);
  const Augment settings{2, true};
  int changed = 0;
  for (std::int64_t sample = 0; sample < 50; ++sample) {
    const Tensor once = augment(image, settings, 1, 2, sample);
    EXPECT_TRUE(once.identical(augment(image, settings, 1, 2, sample)));
    changed += !once.identical(augment(image, settings, 1, 3, sample));
    changed += !once.identical(augment(image, settings, 2, 2, sample));
  }
  EXPECT_GT(changed, 80);
  EXPECT_TRUE(augment(image, {}, 1, 2, 3).identical(image));
}

TEST(Augment, EveryOffsetAndBothSidesOccur) {
  Tensor dot(DType::kUint8, {5, 5, 1});
  dot.mutable_data<std::uint8_t>()[12] = 1;
  std::vector<int> places(25);
  for (std::int64_t sample = 0; sample < 2000; ++sample) {
    const Tensor moved = augment(dot, {1, false}, 0, 0, sample);
    for (std::size_t i = 0; i < 25; ++i) places[i] += moved.data<std::uint8_t>()[i];
  }
  for (int y = 1; y <= 3; ++y) {
    for (int x = 1; x <= 3; ++x) EXPECT_NEAR(places[static_cast<std::size_t>(5 * y + x)], 2000 / 9.0, 60);
  }
}

}  // namespace
}  // namespace pare::data
