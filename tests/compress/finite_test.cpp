// Activations that are not finite are an error of one shape wherever they are gathered.
#include "compress/finite.h"

#include <gtest/gtest.h>

#include "fakes.h"

namespace pare::compress {
namespace {

/// image → root → stem → relu → back (finite again) → mean → head: Sqrt makes NaN of what is dark.
ir::Model rooted_model() {
  Builder b;
  const ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  const ir::ValueId root = b.add("Sqrt", "root", {x});
  const ir::ValueId stem = b.conv("stem", root, 1, 4, 1);
  const ir::ValueId zero = b.constant("zero", Tensor::scalar(0.0F));
  const ir::ValueId back = b.add("Where", "back", {b.add("IsNaN", "broken", {stem}), zero, stem});
  const ir::ValueId body = b.add("Relu", "body_relu", {b.conv("body", back, 4, 4, 2)});
  const ir::ValueId flat = b.add("Flatten", "flatten", {b.add("GlobalAveragePool", "mean", {body})});
  const ir::ValueId weight = b.constant("head.weight", random_tensor({4, 4}, 4, 1.0F));
  return b.finish(b.add("Gemm", "head", {flat, weight}, {{"transB", std::int64_t{1}}}));
}

TEST(Finite, CountsAndNamesLayerAndTensor) {
  const ir::Model model = rooted_model();
  const Tensor bad = Tensor::from({4}, std::vector<float>{1, NAN, -INFINITY, NAN});
  const Error error = error_of([&] { require_finite(model.graph, "root_out", bad); });
  EXPECT_EQ(error.code(), ErrorCode::kBadInput);
  EXPECT_EQ(error.subject(), "layer 'root'");
  EXPECT_EQ(error.got(), "2 NaN and 1 infinite of 4");
  EXPECT_NE(std::string(error.what()).find("its output 'root_out' is not finite"), std::string::npos) << error.what();
  EXPECT_EQ(error_of([&] { require_finite(model.graph, "image", bad); }).subject(), "input 'image'");
  EXPECT_NO_THROW(require_finite(model.graph, "image", random_tensor({1000}, 1)));
  EXPECT_NO_THROW(require_finite(model.graph, "image", Tensor::from({2}, std::vector<float>{3e38F, -3e38F})));
  EXPECT_NO_THROW(require_finite(model.graph, "ids", Tensor::from({1}, std::vector<std::int64_t>{-1})));
}

TEST(Finite, EveryPassOverActivationsTells) {
  for (const char* step :
       {"quantize: {}", "quantize: {activations: {calibrator: mse}}",
        "quantize: {method: weight_only, weights: {group_size: 0}}",
        "quantize: {method: weight_only, weights: {group_size: 0, sequential: false}}",
        "quantize: {method: weight_only, weights: {group_size: 0, rounding: adaround}}",
        "quantize: {method: weight_only, weights: {group_size: 0, rounding: nearest}, awq: auto}",
        "quantize: {method: codebook, weighting: inputs}", "prune: {method: wanda}", "prune: {method: obs}"}) {
    World world("finite");
    world.model = rooted_model();
    world.dataset = image_data(false);
    const Error error = error_of([&] { world.run(std::string("steps: [{") + step + "}]"); });
    EXPECT_EQ(error.code(), ErrorCode::kBadInput) << step << ": " << error.what();
    EXPECT_EQ(error.subject(), "layer 'root'") << step << ": " << error.what();
    EXPECT_NE(std::string(error.what()).find("'root_out'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace pare::compress
