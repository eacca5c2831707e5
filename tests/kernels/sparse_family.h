// What the tests of integer families beside qconv share.
#pragma once

#include <gtest/gtest.h>

#include "base/threads.h"
#include "qconv_case.h"

namespace pare::kernels::test {

/// The dense reference with the zeros in place.
inline std::vector<std::uint8_t> run_dense(const QConvCase& c) {
  const auto w = QConvWeights::pack(c.shape, c.weights, c.input_type, c.input_zero_point, c.bias_or_null(),
                                    qconv_kernels().back());
  std::vector<std::uint8_t> out(c.output_bytes());
  qconv(w, c.shape, c.input.data(), c.epilogue, out.data(), nullptr, 1);
  return out;
}

template <class Weights, auto kScratch, auto kRun, auto kKernels, auto kIsa, auto kName>
struct SparseFamily {
  template <class Kernel>
  static Weights pack(const QConvCase& c, const Kernel* kernel) {
    return Weights::pack(c.shape, c.weights, c.input_type, c.input_zero_point, c.bias_or_null(), kernel);
  }
  static std::size_t scratch_bytes(const QConvCase& c, const Weights& w, int threads) {
    if constexpr (std::is_invocable_v<decltype(kScratch), const Weights&, const ConvShape&, int>)
      return kScratch(w, c.shape, threads);
    else
      return kScratch(w, threads);
  }
  static std::vector<std::uint8_t> run(const QConvCase& c, const Weights& w, int threads) {
    std::vector<std::uint8_t> out(c.output_bytes());
    std::vector<std::byte> scratch(scratch_bytes(c, w, threads));
    const ThreadScope scope(threads);
    kRun(w, c.shape, c.input.data(), c.epilogue, out.data(), scratch.data(), threads);
    return out;
  }
  /// With what is added where the output goes, which is allowed where elements have one size.
  static std::vector<std::uint8_t> run_in_place(QConvCase c, const Weights& w, int threads) {
    const auto* added = static_cast<const std::uint8_t*>(c.epilogue.residual);
    std::vector<std::uint8_t> out(added, added + c.output_bytes());
    std::vector<std::byte> scratch(scratch_bytes(c, w, threads));
    const ThreadScope scope(threads);
    c.epilogue.residual = out.data();
    kRun(w, c.shape, c.input.data(), c.epilogue, out.data(), scratch.data(), threads);
    return out;
  }
  static bool adds_in_place(const QConvCase& c) {
    const auto wide = [](DType type) { return type == DType::kFloat32; };
    return c.epilogue.residual && wide(c.epilogue.residual_type) == wide(c.epilogue.output_type);
  }
  /// Every row gives what the dense reference gives, bit for bit.
  static void expect_dense(QConvCase (*make)(std::uint64_t), std::uint64_t seeds) {
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      const QConvCase c = make(seed);
      const std::vector<std::uint8_t> want = run_dense(c);
      for (const auto* kernel : kKernels()) {
        if (!isa_available(kIsa(*kernel))) continue;
        const Weights w = pack(c, kernel);
        for (int threads : {1, 3})
          ASSERT_EQ(run(c, w, threads), want) << kName(*kernel) << " seed " << seed << " threads " << threads;
        if (adds_in_place(c)) {
          ASSERT_EQ(run_in_place(c, w, 2), want) << kName(*kernel) << " seed " << seed << " in place";
        }
      }
    }
  }
  /// What was written is viewed, and a piece of it is not.
  static void expect_viewed(QConvCase (*make)(std::uint64_t)) {
    for (std::uint64_t seed = 5000; seed < 5050; ++seed) {
      const QConvCase c = make(seed);
      const Weights w = Weights::pack(c.shape, c.weights, c.input_type, c.input_zero_point, c.bias_or_null());
      PackedWriter writer;
      w.write(writer);
      const auto bytes = std::as_bytes(std::span(writer.bytes()));
      PackedReader whole(bytes, nullptr), shorter(bytes.first(bytes.size() - 1), nullptr), wrong(bytes, nullptr);
      const auto again = Weights::view(c.shape, c.input_type, c.input_zero_point, whole);
      ASSERT_TRUE(again);
      EXPECT_EQ(run(c, *again, 1), run(c, w, 1));
      EXPECT_EQ(again->bytes(), w.bytes());
      EXPECT_FALSE(Weights::view(c.shape, c.input_type, c.input_zero_point, shorter));
      ConvShape other = c.shape;
      other.out_c += 16;
      EXPECT_FALSE(Weights::view(other, c.input_type, c.input_zero_point, wrong));
    }
  }
};

}  // namespace pare::kernels::test
