#include "pare/text.h"

#include <charconv>

#include "pare/error.h"

namespace pare {

std::vector<std::int64_t> parse_dims(std::string_view text, const std::string& what) {
  std::vector<std::int64_t> dims;
  const auto refuse = [&] {
    throw Error(ErrorCode::kUsage, what, "not a shape", "positive sizes joined by x, as 1x3x224x224",
                std::string(text));
  };
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('x', begin), text.size());
    std::int64_t size = 0;
    const auto [rest, error] = std::from_chars(text.data() + begin, text.data() + end, size);
    if (error != std::errc() || rest != text.data() + end || size < 1) refuse();
    dims.push_back(size);
    begin = end + 1;
  }
  return dims;
}

}  // namespace pare
