// Samples a second of fine-tuning steps on random images: throughput MODEL BATCH STEPS THREADS [TEACHER] [PRECISION].
// bench/train/finetune_throughput.py runs it in turns with the same training written in Python.
#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "base/rng.h"
#include "exec/trainer.h"
#include "ir/infer.h"
#include "onnx/onnx_file.h"
#include "pare/error.h"
#include "passes/pass.h"

namespace {

const pare::exec::TrainerFactory& load_plugin() {
  void* library = dlopen(PARE_TRAIN_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw pare::Error(pare::ErrorCode::kUnsupported, "plug-in", dlerror());
  const auto entry = reinterpret_cast<const pare::exec::TrainPlugin* (*)()>(dlsym(library, "pare_train_plugin"));
  return *entry()->factory;
}

pare::data::Batch random_batch(const pare::ir::Model& model, std::int64_t size) {
  pare::data::Batch batch;
  pare::Rng rng(1);
  for (const auto& [name, dims] : pare::ir::input_shapes_for(model, size)) {
    pare::Tensor images(pare::DType::kFloat32, dims);
    for (float& pixel : images.mutable_data<float>()) pixel = static_cast<float>(rng.uniform());
    batch.inputs[name] = images;
  }
  for (std::int64_t i = 0; i < size; ++i) batch.labels.push_back(static_cast<std::int64_t>(rng.below(10)));
  return batch;
}

pare::ir::Model load(const std::string& path) {
  pare::ir::Model model = pare::onnx::read_model(path);
  pare::ir::infer_shapes(model);
  pare::passes::simplify(model);
  return model;
}

void run(int count, char** arguments) {
  const pare::ir::Model model = load(arguments[1]);
  const std::int64_t size = std::atoll(arguments[2]);
  const int steps = std::atoi(arguments[3]);
  const bool distills = count > 5 && std::string(arguments[5]) != "-";
  pare::exec::TrainerOptions options;
  options.threads = std::atoi(arguments[4]);
  options.precision = count > 6 ? arguments[6] : "f32";
  if (distills) options.loss.alpha = 0.9;
  const pare::ir::Model teacher = distills ? load(arguments[5]) : pare::ir::Model{};
  const auto trainer = load_plugin().create(model, distills ? &teacher : nullptr, options);
  const pare::data::Batch batch = random_batch(model, size);
  for (int i = 0; i < 3; ++i) trainer->step(batch, 1e-4);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < steps; ++i) trainer->step(batch, 1e-4);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::cout << static_cast<double>(size * steps) / seconds << "\n";
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) {
    std::cerr << "usage: throughput MODEL BATCH STEPS THREADS [TEACHER|-] [PRECISION]\n";
    return 2;
  }
  try {
    run(count, arguments);
  } catch (const pare::Error& error) {
    std::cerr << error.what() << "\n";
    return static_cast<int>(error.code());
  }
}
