// From a model file to the first output, file by file in turns: build/bin/pare_bench_load A.onnx A.pare … [THREADS]
// Prints medians in ms: reading the file, compiling it, the first run less a later one (the plan and the packing of
// weights), and their sum, what loading costs. Files are in the page cache.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "pare/session.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Times {
  std::vector<double> read, compile, plan, total;
};

double since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void load_once(const std::string& file, int threads, const pare::NamedTensors& inputs, Times& times) {
  const auto start = Clock::now();
  const pare::Model model = pare::Model::load(file);
  const double read = since(start);
  pare::Session session(model, {.execution = {.threads = threads}});
  const double compiled = since(start);
  session.run(inputs);
  const double first = since(start);
  double run = 1e30;
  for (int i = 0; i < 3; ++i) {
    const auto again = Clock::now();
    session.run(inputs);
    run = std::min(run, since(again));
  }
  times.read.push_back(read);
  times.compile.push_back(compiled - read);
  times.plan.push_back(first - compiled - run);
  times.total.push_back(first - run);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> files(argv + 1, argv + argc);
  int threads = 1;
  if (!files.empty() && std::atoi(files.back().c_str()) > 0) {
    threads = std::atoi(files.back().c_str());
    files.pop_back();
  }
  std::vector<Times> times(files.size());
  for (int turn = 0; turn < 15; ++turn) {
    for (std::size_t i = 0; i < files.size(); ++i) {
      const pare::NamedTensors inputs = pare::random_inputs(pare::Model::load(files[i]), 1);
      load_once(files[i], threads, inputs, times[i]);
    }
  }
  std::printf("%-48s%10s%10s%10s%10s\n", "ms", "read", "compile", "plan", "load");
  for (std::size_t i = 0; i < files.size(); ++i)
    std::printf("%-48s%10.2f%10.2f%10.2f%10.2f\n", files[i].c_str(), median(times[i].read), median(times[i].compile),
                median(times[i].plan), median(times[i].total));
}
