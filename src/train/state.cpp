#include "train/state.h"

#include <cstring>

#include "pare/error.h"

namespace pare::train {
namespace {

constexpr std::string_view kMagic = "pare training state 1\n";

[[noreturn]] void damaged(const std::string& problem) { throw Error(ErrorCode::kBadInput, "training state", problem); }

}  // namespace

StateWriter::StateWriter() : bytes_(kMagic) {}

void StateWriter::number(std::int64_t value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value)); }

void StateWriter::text(std::string_view value) {
  number(static_cast<std::int64_t>(value.size()));
  bytes_.append(value);
}

void StateWriter::tensor(const Tensor& value) {
  number(static_cast<std::int64_t>(value.dtype()));
  if (!value.defined()) return;
  number(value.rank());
  for (const std::int64_t dim : value.dims()) number(dim);
  bytes_.append(reinterpret_cast<const char*>(value.raw()), value.bytes());
}

StateReader::StateReader(std::string_view bytes) : rest_(bytes) {
  if (!rest_.starts_with(kMagic)) damaged("is not one of this version");
  rest_.remove_prefix(kMagic.size());
}

std::string_view StateReader::take(std::size_t count) {
  if (count > rest_.size()) damaged("is truncated");
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

std::int64_t StateReader::number() {
  std::int64_t value = 0;
  std::memcpy(&value, take(sizeof(value)).data(), sizeof(value));
  return value;
}

std::string StateReader::text() {
  const std::int64_t size = number();
  if (size < 0) damaged("is damaged");
  return std::string(take(static_cast<std::size_t>(size)));
}

Tensor StateReader::tensor() {
  const std::int64_t type = number();
  if (type == 0) return {};
  if (type < 0 || !is_valid_dtype(static_cast<int>(type)) || bits(static_cast<DType>(type)) == 0) damaged("is damaged");
  const std::int64_t rank = number();
  if (rank < 0 || rank > 16) damaged("is damaged");
  Dims dims;
  for (std::int64_t i = 0; i < rank; ++i) dims.push_back(number());
  const std::string_view content = take(bytes_for(static_cast<DType>(type), dims));
  Tensor result(static_cast<DType>(type), dims);
  if (!content.empty()) std::memcpy(result.mutable_raw(), content.data(), content.size());
  return result;
}

void StateReader::finish() const {
  if (!rest_.empty()) damaged("has bytes left over");
}

}  // namespace pare::train
