// Errors about a model file: "model.onnx: node 'conv1': problem (expected …, got …)".
#pragma once

#include <string>
#include <string_view>

#include "pare/error.h"

namespace pare::onnx {

/// A name from a file inside quotes, shortened when it is longer than a line.
inline std::string in_quotes(std::string_view name) {
  constexpr std::size_t kLongest = 120;
  std::string text(name.substr(0, kLongest));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  text.insert(text.begin(), '\'');
  return text.append(name.size() > kLongest ? "…'" : "'");
}

[[noreturn]] inline void fail(const std::string& subject, const std::string& problem, const std::string& expected = {},
                              const std::string& got = {}) {
  throw Error(ErrorCode::kBadInput, subject, problem, expected, got);
}

[[noreturn]] inline void refuse(const std::string& subject, const std::string& problem,
                                const std::string& expected = {}, const std::string& got = {}) {
  throw Error(ErrorCode::kUnsupported, subject, problem, expected, got);
}

}  // namespace pare::onnx
