// Training from fresh weights learns: Fashion-MNIST, and residual networks without BatchNorm start at a sane scale.
#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "compress/training/initialize.h"
#include "onnx/onnx_file.h"
#include "train/fixture.h"

namespace pare::train {
namespace {

const fs::path kData = "/usr/share/datasets/fashion-mnist";

std::string payload(const char* file, std::size_t header) {
  return gunzip(read_file(kData / file), file).substr(header);
}

/// Images as 0 … 1 and their labels, read from the idx files of Debian's dataset-fashion-mnist.
struct Images {
  std::string pixels = payload("train-images-idx3-ubyte.gz", 16), labels = payload("train-labels-idx1-ubyte.gz", 8);

  data::Batch batch(const std::string& input, std::size_t first, std::size_t count) const {
    data::Batch result;
    Tensor images(DType::kFloat32, {static_cast<std::int64_t>(count), 1, 28, 28});
    auto out = images.mutable_data<float>();
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = (static_cast<float>(static_cast<unsigned char>(pixels[first * 784 + i])) / 255.0F - 0.286F) / 0.353F;
    }
    for (std::size_t i = 0; i < count; ++i) result.labels.push_back(static_cast<unsigned char>(labels[first + i]));
    result.inputs[input] = images;
    return result;
  }
};

ir::Model fresh(const std::string& file) {
  ir::Model model = onnx::read_model(std::string(PARE_SOURCE_DIR "/examples/models/") + file);
  ir::infer_shapes(model);
  compress::initialize_weights(model, 1);
  return model;
}

TEST(Learning, FreshConvnetReachesEightyPercent) {
  if (!fs::exists(kData)) GTEST_SKIP() << "needs Debian's dataset-fashion-mnist";
  const Images images;
  const ir::Model model = fresh("fmnist_convnet.onnx");
  exec::TrainerOptions options;
  options.precision = "f32";
  options.threads = 2;
  const auto trainer = factory().create(model, nullptr, options);
  EXPECT_GT(trainer->evaluate(images.batch("image", 50000, 1000)).loss, 1.8);  // it knows nothing yet
  for (std::size_t step = 0; step < 240; ++step) {
    trainer->step(images.batch("image", step % 120 * 64, 64), 0.03 * (1 - static_cast<double>(step) / 240));
  }
  EXPECT_GE(trainer->evaluate(images.batch("image", 50000, 1000)).correct, 800);
}

TEST(Learning, FreshResidualNetworkWithoutBatchNormStartsAtASaneScale) {
  if (!fs::exists(kData)) GTEST_SKIP() << "needs Debian's dataset-fashion-mnist";
  const Images images;
  const ir::Model model = fresh("fmnist_resnet10.onnx");
  exec::TrainerOptions options;
  options.precision = "f32";
  options.threads = 2;
  const auto trainer = factory().create(model, nullptr, options);
  const double first = trainer->evaluate(images.batch("image", 50000, 200)).loss;
  EXPECT_LT(first, 6);  // ln 10 = 2.3 for a network that is indifferent
  for (std::size_t step = 0; step < 12; ++step) trainer->step(images.batch("image", step * 32, 32), 0.01);
  EXPECT_LT(trainer->evaluate(images.batch("image", 50000, 200)).loss, 0.9 * first);
}

/// 24 residual blocks at 64 channels: the deviation of the logits stays within the bound that initialize.h names.
TEST(Initialization, DeepResidualChainDoesNotBlowUp) {
  Builder b;
  b.input("x", {4, 16, 6, 6});
  std::string value = "x";
  for (int block = 0; block < 24; ++block) {
    const std::string n = std::to_string(block);
    b.constant("u" + n, random_tensor({16, 16, 3, 3}, 1)).constant("v" + n, random_tensor({16, 16, 3, 3}, 2));
    b.node("Conv", {value, "u" + n}, {"a" + n}, {{"pads", Ints{1, 1, 1, 1}}}).node("Relu", {"a" + n}, {"r" + n});
    b.node("Conv", {"r" + n, "v" + n}, {"c" + n}, {{"pads", Ints{1, 1, 1, 1}}})
        .node("Add", {value, "c" + n}, {"s" + n});
    value = "s" + n;
  }
  b.node("Flatten", {value}, {"logits"});
  ir::Model model = b.build({"logits"});
  compress::initialize_weights(model, 2);
  const NamedTensors inputs = {{"x", random_tensor({4, 16, 6, 6}, 3)}};
  const Tensor logits = factory().create(model, nullptr, plain_options())->forward(inputs).at("logits");
  double squares = 0;
  for (const float logit : logits.data<float>()) squares += static_cast<double>(logit) * logit;
  const double variance = squares / static_cast<double>(logits.numel());
  EXPECT_GT(variance, 1);
  EXPECT_LT(variance, 2 * std::exp(1.0));
}

}  // namespace
}  // namespace pare::train
