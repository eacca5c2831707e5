// From a model file to the first output, file by file in turns: build/bin/pare_bench_load [--fresh] A.onnx A.pare …
// [THREADS]
// Prints medians in ms: reading the file, compiling it, the first run less a later one (the plan and the packing of
// weights), and their sum, what loading costs. Files are in the page cache. With --fresh each load has a process of its
// own, as a program that loads one model: nothing that an earlier load has made (oneDNN's kernels) is there.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "pare/session.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Load {
  double read = 0, compile = 0, plan = 0;
  double total() const { return read + compile + plan; }
};

double since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

template <class Part>
double median(const std::vector<Load>& loads, Part part) {
  std::vector<double> values;
  for (const Load& load : loads) values.push_back(part(load));
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Of one sample, all zeros; of what the model declares alone, so that nothing of the load is done before it.
pare::NamedTensors zeros(const pare::Model& model) {
  pare::NamedTensors inputs;
  for (const pare::PortInfo& port : model.inputs()) {
    pare::Dims dims;
    for (const std::string& dim : port.dims) dims.push_back(std::max(std::atoll(dim.c_str()), 1LL));
    pare::Tensor input(port.dtype, dims);
    if (input.bytes() > 0) std::memset(input.mutable_raw(), 0, input.bytes());
    inputs[port.name] = input;
  }
  return inputs;
}

Load load_once(const std::string& file, int threads) {
  const auto start = Clock::now();
  const pare::Model model = pare::Model::load(file);
  Load load;
  load.read = since(start);
  const pare::NamedTensors inputs = zeros(model);
  const auto read = Clock::now();
  pare::Session session(model, {.execution = {.threads = threads}});
  load.compile = since(read);
  session.run(inputs);
  const double first = since(read);
  double run = 1e30;
  for (int i = 0; i < 3; ++i) {
    const auto again = Clock::now();
    session.run(inputs);
    run = std::min(run, since(again));
  }
  load.plan = first - load.compile - run;
  return load;
}

/// load_once() in another process.
Load load_fresh(const std::string& program, const std::string& file, int threads) {
  const std::string command = "'" + program + "' --one '" + file + "' " + std::to_string(threads);
  const std::unique_ptr<FILE, int (*)(FILE*)> output(popen(command.c_str(), "r"), pclose);
  Load load;
  if (!output || std::fscanf(output.get(), "%lf %lf %lf", &load.read, &load.compile, &load.plan) != 3)
    throw std::runtime_error("failed: " + command);
  return load;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> files(argv + 1, argv + argc);
  int threads = 1;
  if (!files.empty() && std::atoi(files.back().c_str()) > 0) {
    threads = std::atoi(files.back().c_str());
    files.pop_back();
  }
  const std::string mode = !files.empty() && files.front().starts_with("--") ? files.front() : "";
  if (!mode.empty()) files.erase(files.begin());
  if (mode == "--one" && !files.empty()) {
    const Load load = load_once(files.front(), threads);
    std::printf("%f %f %f\n", load.read, load.compile, load.plan);
    return 0;
  }
  std::vector<std::vector<Load>> loads(files.size());
  for (int turn = 0; turn < 15; ++turn)
    for (std::size_t i = 0; i < files.size(); ++i)
      loads[i].push_back(mode == "--fresh" ? load_fresh(argv[0], files[i], threads) : load_once(files[i], threads));
  std::printf("%-48s%10s%10s%10s%10s\n", "ms", "read", "compile", "plan", "load");
  for (std::size_t i = 0; i < files.size(); ++i)
    std::printf("%-48s%10.2f%10.2f%10.2f%10.2f\n", files[i].c_str(), median(loads[i], [](const Load& l) { return l.read; }),
                median(loads[i], [](const Load& l) { return l.compile; }),
                median(loads[i], [](const Load& l) { return l.plan; }),
                median(loads[i], [](const Load& l) { return l.total(); }));
}
