// Low-bit products 4096 × 4096, one thread. GB/s counts all bytes of weights; the matrices of a row of measurements are
// larger than the caches together, so that with few rows memory is what is measured (`read` is a plain sum over as
// much).
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "kernels/nbits/nbits.h"

namespace pare::kernels {
namespace {

constexpr std::int64_t kSize = 4096;

/// What codes are: numbers, entries of one codebook, or of each output's own.
enum class Codes { kNumbers, kCodebook, kOwnCodebooks };

/// The last two take one block of all of K where a table is looked up by rows (kernels/nbits/strip.h).
std::int64_t block_of(int bits, Codes codes, std::int64_t block) {
  return codes == Codes::kOwnCodebooks || (codes == Codes::kCodebook && bits == 8) ? kSize : block;
}

NBitsMatrix matrix(int bits, std::int64_t block, Codes codes, const NBitsKernel* kernel, std::uint64_t seed) {
  Rng rng(seed, kRngTest);
  const NBitsShape shape{kSize, kSize, block_of(bits, codes, block), bits};
  const std::vector<float> scale(static_cast<std::size_t>(kSize * shape.blocks()), 0.01f);
  const std::int64_t entries = std::int64_t{1} << bits, stride = codes == Codes::kOwnCodebooks ? entries : 0;
  std::vector<float> table(static_cast<std::size_t>(codes == Codes::kNumbers ? 0 : stride > 0 ? entries * kSize : entries));
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(i % 256) * 0.01f;
  return NBitsMatrix::pack(
      shape, {scale.data(), nullptr, table, stride},
      [&](std::int64_t, std::uint8_t* row) {
        for (std::int64_t k = 0; k < kSize; k += 4) {
          const std::uint32_t four = rng.next();
          for (int i = 0; i < 4; ++i) row[k + i] = static_cast<std::uint8_t>(four >> 8 * i & ((1U << bits) - 1));
        }
      },
      kernel);
}

void product(benchmark::State& state, int bits, std::int64_t block, Codes codes, std::int64_t m, NBitsInputs inputs,
             const NBitsKernel* kernel, int copies) {
  static std::vector<NBitsMatrix> weights;  // kept while the library looks for a number of iterations
  static std::string last;
  const std::string now = std::string(nbits_kernel_name(*kernel)) + std::to_string(bits) + "/" + std::to_string(block) +
                          std::to_string(static_cast<int>(codes)) + "x" + std::to_string(copies);
  if (now != last) {
    weights.clear();
    last = now;
  }
  for (int i = static_cast<int>(weights.size()); i < copies; ++i)
    weights.push_back(matrix(bits, block, codes, kernel, static_cast<std::uint64_t>(i)));
  const std::vector<float> a(static_cast<std::size_t>(m * kSize), 0.5f);
  std::vector<float> y(static_cast<std::size_t>(m * kSize));
  std::vector<std::byte> scratch(nbits_scratch_bytes(weights[0], m, 1, inputs) + 64);
  void* aligned = scratch.data() + (64 - reinterpret_cast<std::uintptr_t>(scratch.data()) % 64) % 64;
  std::size_t next = 0;
  for (auto _ : state) {
    nbits_matmul(weights[next++ % weights.size()], m, a.data(), nullptr, y.data(), aligned, 1, inputs);
    benchmark::DoNotOptimize(y.data());
  }
  state.counters["GB/s"] =
      benchmark::Counter(static_cast<double>(weights[0].bytes()) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["GMAC/s"] =
      benchmark::Counter(static_cast<double>(m) * kSize * kSize * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

/// The bandwidth to compare with.
void read(benchmark::State& state) {
  const std::vector<std::uint64_t> memory(std::size_t{96} << 17, 1);
  const std::size_t piece = std::size_t{10} << 17;
  std::size_t at = 0;
  for (auto _ : state) {
    std::uint64_t sum[8] = {};
    for (std::size_t i = 0; i < piece; i += 8)
      for (std::size_t j = 0; j < 8; ++j) sum[j] += memory[at + i + j];
    benchmark::DoNotOptimize(sum);
    at = at + 2 * piece > memory.size() ? 0 : at + piece;
  }
  state.counters["GB/s"] =
      benchmark::Counter(static_cast<double>(8 * piece) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

constexpr const char* kNames[] = {"", "_codebook", "_own_codebooks"};
constexpr const char* kForms[] = {"", "_bf16", "_int8"};  // by NBitsInputs

const bool kRegistered = [] {
  benchmark::RegisterBenchmark("nbits/read", read);
  for (const NBitsKernel* kernel : nbits_kernels()) {
    if (!isa_available(nbits_kernel_isa(*kernel)) || nbits_kernel_isa(*kernel) == Isa::kScalar) continue;
    for (const std::int64_t m : {1, 4, 8, 16, 32, 128, 512}) {
      for (const int bits : {4, 3, 2, 8}) {
        for (const Codes codes : {Codes::kNumbers, Codes::kCodebook, Codes::kOwnCodebooks}) {
          const std::string name = "nbits/" + std::to_string(bits) + "bit" + kNames[static_cast<int>(codes)] + "/m" +
                                   std::to_string(m) + "/" + nbits_kernel_name(*kernel);
          const int copies = m == 1 ? 12 : 1;
          for (const NBitsInputs inputs : {NBitsInputs::kFloat, NBitsInputs::kBf16, NBitsInputs::kInt8}) {
            // Kernels share the forms that round; each is measured at the row that brings it.
            if (inputs == NBitsInputs::kBf16 && nbits_kernel_isa(*kernel) != Isa::kAmx) continue;
            if (inputs == NBitsInputs::kInt8 && nbits_kernel_isa(*kernel) != Isa::kAvx512Vnni) continue;
            if (inputs == NBitsInputs::kInt8 && codes != Codes::kNumbers) continue;
            for (const std::int64_t block : {32, 128})
              if (block == 128 || block_of(bits, codes, block) == block)
                benchmark::RegisterBenchmark(
                    (name + kForms[static_cast<int>(inputs)] + "/block" + std::to_string(block)).c_str(),
                    [=](benchmark::State& s) { product(s, bits, block, codes, m, inputs, kernel, copies); });
          }
        }
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
