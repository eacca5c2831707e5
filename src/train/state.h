// Training state as bytes: a sequence of numbers, texts and tensors behind a magic and a version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pare/tensor.h"

namespace pare::train {

class StateWriter {
 public:
  StateWriter();
  void number(std::int64_t value);
  void text(std::string_view value);
  void tensor(const Tensor& value);  ///< undefined is allowed
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Reads in the order of writing. Throws Error(kBadInput) when the bytes are not such a state, or end early.
class StateReader {
 public:
  explicit StateReader(std::string_view bytes);
  std::int64_t number();
  std::string text();
  Tensor tensor();
  void finish() const;  ///< throws when bytes are left

 private:
  std::string_view take(std::size_t count);

  std::string_view rest_;
};

}  // namespace pare::train
