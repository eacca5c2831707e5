#include "ir/notes.h"

#include <cstring>

namespace pare::ir {
namespace {

std::string full_key(std::string_view key) { return std::string(kNotePrefix) + std::string(key); }

}  // namespace

void set_note(Value& value, std::string_view key, std::span<const float> numbers) {
  std::string& bytes = value.baggage.metadata[full_key(key)];
  bytes.assign(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes());
}

std::vector<float> find_note(const Value& value, std::string_view key) {
  const auto found = value.baggage.metadata.find(full_key(key));
  if (found == value.baggage.metadata.end()) return {};
  std::vector<float> numbers(found->second.size() / sizeof(float));
  std::memcpy(numbers.data(), found->second.data(), numbers.size() * sizeof(float));
  return numbers;
}

}  // namespace pare::ir
