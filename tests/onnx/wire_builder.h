// Builds ONNX messages byte by byte, independently of the code under test.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace pare::test {

class Message {
 public:
  Message& number(int field, std::int64_t value) {
    varint(static_cast<std::uint64_t>(field) << 3);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  Message& text(int field, std::string_view value) {
    varint(static_cast<std::uint64_t>(field) << 3 | 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& sub(int field, const Message& message) { return text(field, message.bytes_); }
  Message& fixed32(int field, float value) {
    varint(static_cast<std::uint64_t>(field) << 3 | 5);
    bytes_.append(reinterpret_cast<const char*>(&value), 4);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  std::string bytes_;
};

template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// TensorProto without data.
inline Message tensor(const std::string& name, int dtype, const std::vector<std::int64_t>& dims) {
  Message m;
  for (const std::int64_t dim : dims) m.number(1, dim);
  return m.number(2, dtype).text(8, name);
}

inline Message float_tensor(const std::string& name, const std::vector<float>& values) {
  return tensor(name, 1, {static_cast<std::int64_t>(values.size())}).text(9, raw(values));
}

/// ValueInfoProto of a tensor; dimensions below 0 are written as the symbol "N".
inline Message value_info(const std::string& name, int dtype, const std::vector<std::int64_t>& dims) {
  Message shape;
  for (const std::int64_t dim : dims) shape.sub(1, dim < 0 ? Message().text(2, "N") : Message().number(1, dim));
  return Message().text(1, name).sub(2, Message().sub(1, Message().number(1, dtype).sub(2, shape)));
}

inline Message node(const std::string& op, const std::vector<std::string>& inputs,
                    const std::vector<std::string>& outputs, const std::string& name = {}) {
  Message m;
  for (const auto& input : inputs) m.text(1, input);
  for (const auto& output : outputs) m.text(2, output);
  if (!name.empty()) m.text(3, name);
  return m.text(4, op);
}

/// A graph named "g" from input "x" to output "y", both float[4], with these parts (field numbers of GraphProto) added.
struct Part {
  int field;
  Message message;
};
inline Message graph(const std::vector<Part>& parts) {
  Message m;
  m.text(2, "g").sub(11, value_info("x", 1, {4})).sub(12, value_info("y", 1, {4}));
  for (const Part& part : parts) m.sub(part.field, part.message);
  return m;
}

inline Message model(const Message& graph, std::int64_t opset = 17, std::int64_t ir = 8) {
  return Message().number(1, ir).sub(8, Message().text(1, "").number(2, opset)).sub(7, graph);
}

inline constexpr int kNode = 1, kInitializer = 5, kValueInfo = 13;

}  // namespace pare::test
