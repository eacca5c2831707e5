// Calibration alone, from images to ranges: build/bin/pare_bench_calibration MODEL.onnx DATA.yaml [SAMPLES=512] [THREADS=2]
// [CALIBRATOR=percentile]
// Prints seconds and the peak memory of the process less that before the model was read, as one JSON
// object. Decoding, preprocessing and the compilation of the model are part of it. bench/resnet50.py makes the input.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "api/model_impl.h"
#include "base/threads.h"
#include "compress/quantize/calibrator.h"
#include "compress/quantize/placement.h"
#include "compress/statistics.h"
#include "pare/dataset.h"
#include "pare/model.h"
#include "runtime/runtime.h"

namespace {

using nlohmann::json;

double peak_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024 / 1e6;
}

json calibrate(const std::string& model_file, const std::string& data_file, const std::string& name, int samples,
               int threads) {
  const double idle = peak_mb();
  const auto start = std::chrono::steady_clock::now();
  const pare::Model model = pare::Model::load(model_file);
  const pare::Dataset data = pare::Dataset::open(data_file, model);
  const pare::ir::Model& prepared = model.impl().prepared();
  const pare::compress::Calibrator& calibrator = pare::compress::find_calibrator(name);
  const json options = {{"include", json::array()},
                        {"exclude", json::array()},
                        {"activations", {{"scheme", "affine"}, {"percentile", 99.99}, {"samples", samples}}}};
  json record;
  const pare::Control control;
  const pare::exec::TrainerProvider no_trainer;
  const pare::compress::StepContext context{options, prepared, data.impl().dataset, pare::runtime::backend(), no_trainer,
                                            {.threads = threads}, control, nullptr, record};
  pare::compress::StatisticsRequest request{{}, std::string(calibrator.statistics), samples};
  for (const auto& group : pare::compress::place_integers(prepared.graph, options, "bench").groups)
    request.values.insert(request.values.end(), group.begin(), group.end());
  const auto seen = pare::compress::gather_statistics(prepared, {request}, context);
  double sum = 0;
  for (const std::string& value : request.values)
    sum += calibrator.range(seen.of(value), options.at("activations")).high;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return {{"calibrator", name},   {"samples", samples},
          {"threads", threads},   {"values", request.values.size()},
          {"seconds", seconds},   {"peak_mb", peak_mb() - idle},
          {"sum_of_ranges", sum}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: pare_bench_calibration MODEL.onnx DATA.yaml [SAMPLES] [THREADS] [CALIBRATOR]\n");
    return 2;
  }
  const int samples = argc > 3 ? std::atoi(argv[3]) : 512, threads = argc > 4 ? std::atoi(argv[4]) : 2;
  const std::string name = argc > 5 ? argv[5] : "percentile";
  std::printf("%s\n", calibrate(argv[1], argv[2], name, samples, threads).dump().c_str());
}
