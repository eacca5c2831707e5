#include "compress/quantize/block_samples.h"

#include <cmath>
#include <cstring>

namespace pare::compress {

std::size_t BlockSamples::Value::row_bytes() const {
  Dims one = dims;
  one[0] = 1;
  return bytes_for(type, one);
}

void BlockSamples::add(const std::string& name, const Tensor& piece) {
  Value& value = values_[name];
  value.dims = piece.dims();
  value.type = piece.dtype();
  const auto* raw = reinterpret_cast<const char*>(piece.raw());
  value.bytes.insert(value.bytes.end(), raw, raw + piece.bytes());
}

std::string BlockSamples::why_not() const {
  for (const auto& [name, value] : values_)
    if (value.dims.empty() || value.bytes.size() != static_cast<std::size_t>(rows_) * value.row_bytes())
      return "'" + name + "' has no axis of samples";
  return "";
}

Tensor BlockSamples::rows_of(const std::string& name, std::span<const std::int64_t> rows) const {
  const Value& value = values_.at(name);
  Dims dims = value.dims;
  dims[0] = static_cast<std::int64_t>(rows.size());
  Tensor out(value.type, dims);
  const std::size_t each = value.row_bytes();
  auto* to = reinterpret_cast<char*>(out.mutable_raw());
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::memcpy(to + i * each, &value.bytes[static_cast<std::size_t>(rows[i]) * each], each);
  return out;
}

bool BlockSamples::normalize(const std::string& name) {
  const std::span<float> x = values_.at(name).floats();
  double squares = 0;
  for (const float v : x) squares += static_cast<double>(v) * static_cast<double>(v);
  if (!(squares > 0) || !std::isfinite(squares)) return false;
  const double scale = std::sqrt(static_cast<double>(x.size()) / squares);
  for (float& v : x) v = static_cast<float>(static_cast<double>(v) * scale);
  return true;
}

void BlockSamples::multiply(const std::string& name, const std::string& by) {
  const std::span<float> x = values_.at(name).floats(), f = values_.at(by).floats();
  for (std::size_t i = 0; i < x.size(); ++i) x[i] *= f[i];
}

}  // namespace pare::compress
