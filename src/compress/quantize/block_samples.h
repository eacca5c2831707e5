// What a block reads and should answer, sample by sample.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "pare/tensor.h"

namespace pare::compress {

/// Samples of some values, each in pieces of a forward pass that lie behind each other.
class BlockSamples {
 public:
  void add(const std::string& name, const Tensor& piece);
  void drop(const std::string& name) { values_.erase(name); }
  void count(std::int64_t rows) { rows_ += rows; }

  std::int64_t rows() const { return rows_; }
  bool has(const std::string& name) const { return values_.count(name) > 0; }
  /// Why a value does not fall into samples; "": all do.
  std::string why_not() const;
  /// Of any piece: the first is its number of samples.
  const Dims& dims_of(const std::string& name) const { return values_.at(name).dims; }
  Tensor rows_of(const std::string& name, std::span<const std::int64_t> rows) const;

  /// Scales a value of floats to a mean square of 1; false where all of it is 0.
  bool normalize(const std::string& name);
  /// The product of two values of floats of the same shape takes the first one's place.
  void multiply(const std::string& name, const std::string& by);

 private:
  struct Value {
    Dims dims;
    DType type = DType::kFloat32;
    std::vector<char> bytes;
    std::size_t row_bytes() const;
    std::span<float> floats() { return {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)}; }
  };

  std::map<std::string, Value> values_;
  std::int64_t rows_ = 0;
};

}  // namespace pare::compress
