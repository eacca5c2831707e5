// Layers whose input is one number in all samples.
#include "compress/quantize/constant_inputs.h"

#include <gtest/gtest.h>

#include "../fakes.h"

namespace pare::compress {
namespace {

using nlohmann::json;

Tensor filled(Dims dims, float value) {
  Tensor tensor(DType::kFloat32, std::move(dims));
  for (float& x : tensor.mutable_data<float>()) x = value;
  return tensor;
}

/// image → stem → relu → body → relu → mean → head, where the stem's bias is given: −1000 closes every ReLU behind it.
ir::Model model_with_bias(float bias) {
  Builder b;
  const ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  const ir::ValueId stem =
      b.add("Conv", "stem",
            {x, b.constant("stem.weight", random_tensor({4, 1, 3, 3}, 1)), b.constant("stem.bias", filled({4}, bias))});
  const ir::ValueId body = b.conv("body", b.add("Relu", "stem_relu", {stem}), 4, 4, 2);
  const ir::ValueId mean = b.add("GlobalAveragePool", "mean", {b.add("Relu", "body_relu", {body})});
  const ir::ValueId weight = b.constant("head.weight", random_tensor({4, 4}, 4, 1.0F));
  const ir::ValueId flat = b.add("Flatten", "flatten", {mean});
  return b.finish(b.add("Gemm", "head", {flat, weight}, {{"transB", std::int64_t{1}}}));
}

PipelineResult quantized(const ir::Model& model, const std::string& options, data::Dataset data = image_data(false)) {
  World world(std::string("constant_inputs_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
  world.model = model;
  world.dataset = std::move(data);
  return world.run("steps: [{quantize: {" + options + "}}]");
}

TEST(ConstantInputs, AClosedReluIsAnErrorThatSaysWhatToDo) {
  for (const char* options : {"", "activations: {calibrator: min-max}, protect: {macs: 0}, bias_correction: false",
                              "method: qat, epochs: 0"}) {
    const Error error = error_of([&] { quantized(model_with_bias(-1000), options); });
    EXPECT_EQ(error.code(), ErrorCode::kBadInput) << error.what();
    EXPECT_EQ(error.subject(), "layer 'body'");
    for (const char* word : {"'stem_relu_out'", "all 40 calibration samples", "--exclude body", "got 0"})
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << word << ": " << error.what();
  }
}

TEST(ConstantInputs, ExcludedItStaysFloat) {
  const PipelineResult result = quantized(model_with_bias(-1000), "exclude: [body]");
  EXPECT_EQ(result.run["steps"][0]["quantized"]["nodes"].size(), 2u);
}

TEST(ConstantInputs, ChannelsThatAreDeadAreNoFault) {
  ir::Model model = model_with_bias(0);
  const ir::ValueId bias = model.graph.find_value("stem.bias");
  model.graph.set_constant(bias, Tensor::from({4}, std::vector<float>{0.1F, -1000, -1000, -1000}));
  EXPECT_EQ(quantized(model, "").run["steps"][0]["quantized"]["nodes"].size(), 3u);
}

/// Images that are all alike, as a wrong preprocessing makes them.
class GreySplit : public ImageSplit {
 public:
  GreySplit() : ImageSplit({0, 1, 2, 3, 4, 5, 6, 7}, false, "grey") {}
  data::Batch batch(const std::vector<std::int64_t>& indices, std::uint64_t epoch,
                    std::int64_t threads) const override {
    data::Batch batch = ImageSplit::batch(indices, epoch, threads);
    batch.inputs["image"] = filled(batch.inputs["image"].dims(), 0.5F);
    return batch;
  }
};

TEST(ConstantInputs, ConstantImagesAreAnErrorOfTheData) {
  data::Dataset data = image_data(false);
  data.train = std::make_shared<GreySplit>();
  const Error error = error_of([&] { quantized(residual_model(), "", data); });
  EXPECT_EQ(error.code(), ErrorCode::kBadInput);
  EXPECT_EQ(error.subject(), "layer 'stem'");
  EXPECT_NE(std::string(error.what()).find("'image'"), std::string::npos) << error.what();
}

/// Images and a mask [N, 4] of integers.
class MaskedSplit : public ImageSplit {
 public:
  MaskedSplit(std::vector<std::int64_t> samples, bool full)
      : ImageSplit(std::move(samples), false, "masked"), full_(full) {}
  data::Batch batch(const std::vector<std::int64_t>& indices, std::uint64_t epoch,
                    std::int64_t threads) const override {
    data::Batch batch = ImageSplit::batch(indices, epoch, threads);
    std::vector<std::int64_t> mask(indices.size() * 4, 1);
    if (!full_) mask[0] = 0;
    batch.inputs["mask"] = Tensor::from({static_cast<std::int64_t>(indices.size()), 4}, mask);
    return batch;
  }

 private:
  bool full_;
};

data::Dataset masked_data(bool full) {
  const auto part = [&](std::int64_t from) {
    std::vector<std::int64_t> samples(16);
    std::iota(samples.begin(), samples.end(), from);
    return std::make_shared<MaskedSplit>(samples, full);
  };
  return {part(0), part(1000), part(2000), "masked images"};
}

/// The model above plus what a layer makes of the mask alone, and of the batch's size alone.
ir::Model masked_model() {
  Builder b;
  const ir::ValueId x = b.input("image", {ir::Dim::symbol("N"), 1, 8, 8});
  const ir::ValueId mask = b.model.graph.add_input("mask", DType::kInt64, ir::Shape({ir::Dim::symbol("N"), 4}));
  const ir::ValueId stem = b.add("Relu", "stem_relu", {b.conv("stem", x, 1, 4, 1)});
  const ir::ValueId flat = b.add("Flatten", "flatten", {b.add("GlobalAveragePool", "mean", {stem})});
  const auto matrix = [&](const std::string& name, std::uint64_t seed) {
    return b.constant(name, random_tensor({4, 4}, seed, 1.0F));
  };
  const ir::ValueId head = b.add("MatMul", "head", {flat, matrix("head.weight", 3)});
  const ir::ValueId floats = b.add("Cast", "cast", {mask}, {{"to", std::int64_t{1}}});
  const ir::ValueId of_mask = b.add("MatMul", "of_mask", {floats, matrix("of_mask.weight", 4)});
  const ir::ValueId ones = b.add("ConstantOfShape", "ones", {b.add("Shape", "shape", {flat})},
                                 {{"value", Tensor::from({1}, std::vector<float>{1})}});
  const ir::ValueId of_ones = b.add("MatMul", "of_ones", {ones, matrix("of_ones.weight", 5)});
  return b.finish(b.add("Add", "sum", {b.add("Add", "first", {head, of_mask}), of_ones}));
}

TEST(ConstantInputs, MasksAndConstantsStayFloatForAReason) {
  const PipelineResult result = quantized(masked_model(), "", masked_data(true));
  const json& told = result.run["steps"][0]["quantized"];
  EXPECT_EQ(told["nodes"], (json{"stem", "head"})) << told["nodes"];
  std::map<std::string, std::string> reasons;
  for (const json& skip : told["skipped"]) reasons[skip["node"]] = skip["reason"];
  EXPECT_EQ(reasons["of_mask"], "its input follows from 'mask', which is 1 in all samples, alone");
  EXPECT_EQ(reasons["of_ones"], "its input is made of constants alone");
}

TEST(ConstantInputs, AMaskThatVariesIsQuantized) {
  const PipelineResult result = quantized(masked_model(), "protect: {macs: 0}", masked_data(false));
  EXPECT_EQ(result.run["steps"][0]["quantized"]["nodes"].size(), 3u);
}

}  // namespace
}  // namespace pare::compress
