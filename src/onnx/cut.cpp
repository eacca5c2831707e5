#include "onnx/cut.h"

#include <optional>

namespace pare::onnx {

namespace {

constexpr std::uint32_t kRawData = 9, kCutSegment = 536870911;
constexpr int kMaxDepth = 90;  // below protobuf's own limit of 100

/// The kind of message that a field of `kind` holds, when tensors may lie inside.
std::optional<MessageKind> child(MessageKind kind, std::uint32_t field) {
  struct Row {
    MessageKind parent;
    std::uint32_t field;
    MessageKind child;
  };
  static constexpr Row kRows[] = {
      {MessageKind::kModel, 7, MessageKind::kGraph},      {MessageKind::kModel, 25, MessageKind::kFunction},
      {MessageKind::kGraph, 1, MessageKind::kNode},       {MessageKind::kGraph, 5, MessageKind::kTensor},
      {MessageKind::kNode, 5, MessageKind::kAttribute},   {MessageKind::kFunction, 7, MessageKind::kNode},
      {MessageKind::kAttribute, 5, MessageKind::kTensor}, {MessageKind::kFunction, 11, MessageKind::kAttribute},
      {MessageKind::kAttribute, 6, MessageKind::kGraph},  {MessageKind::kAttribute, 10, MessageKind::kTensor},
      {MessageKind::kAttribute, 11, MessageKind::kGraph},
  };
  for (const Row& row : kRows)
    if (row.parent == kind && row.field == field) return row.child;
  return std::nullopt;
}

void append_varint_field(std::string& out, std::uint32_t number, std::uint64_t value) {
  append_varint(out, static_cast<std::uint64_t>(number) << 3);
  append_varint(out, value);
}

class Cutter {
 public:
  void walk(std::string_view message, std::uint64_t base, MessageKind kind, int depth, std::string& out) {
    WireReader reader(message, base);
    if (depth > kMaxDepth) throw WireError("is nested too deeply", base);
    bool has_raw = false;
    while (!reader.done()) {
      const WireField field = reader.next();
      const auto inner = field.type == WireType::kBytes ? child(kind, field.number) : std::nullopt;
      if (inner) {
        std::string bytes;
        walk(field.payload, reader.offset_of(field.payload), *inner, depth + 1, bytes);
        append_bytes_header(out, field.number, bytes.size());
        out += bytes;
        continue;
      }
      if (kind == MessageKind::kTensor && (field.number == kRawData || field.number == kCutSegment)) {
        const std::uint64_t where = reader.offset_of(field.whole);
        if (field.number == kCutSegment) throw WireError("holds a field that Pare reserves for itself", where);
        if (has_raw) throw WireError("holds the data of one tensor twice", where);
        has_raw = true;
        if (field.payload.size() >= kCutBytes) {
          append_varint_field(out, kCutSegment, segments.size());
          segments.push_back(field.payload);
          continue;
        }
      }
      out += field.whole;
    }
  }

  std::vector<std::string_view> segments;
};

}  // namespace

CutMessage cut(std::string_view message, MessageKind kind) {
  CutMessage result;
  Cutter cutter;
  cutter.walk(message, 0, kind, 0, result.bytes);
  result.segments = std::move(cutter.segments);
  return result;
}

void Rope::add_text(std::string_view text) {
  if (text.empty()) return;
  if (pieces_.empty() || pieces_.back().view.data()) pieces_.emplace_back();
  pieces_.back().text += text;
  size_ += text.size();
}

void Rope::add_view(std::string_view bytes) {
  if (bytes.empty()) return;
  pieces_.push_back({{}, bytes});
  size_ += bytes.size();
}

void Rope::add(Rope&& other) {
  for (Piece& piece : other.pieces_) {
    if (piece.view.data())
      add_view(piece.view);
    else
      add_text(piece.text);
  }
}

std::string Rope::str() const {
  std::string whole;
  whole.reserve(size_);
  for_each([&](std::string_view piece) { whole += piece; });
  return whole;
}

Rope splice(std::string_view message, MessageKind kind, const std::vector<std::string_view>& segments) {
  Rope rope;
  WireReader reader(message);
  while (!reader.done()) {
    const WireField field = reader.next();
    std::string header;
    if (const auto inner = field.type == WireType::kBytes ? child(kind, field.number) : std::nullopt) {
      Rope bytes = splice(field.payload, *inner, segments);
      append_bytes_header(header, field.number, bytes.size());
      rope.add_text(header);
      rope.add(std::move(bytes));
    } else if (kind == MessageKind::kTensor && field.number == kCutSegment) {
      const std::string_view data = segments.at(field.value);
      append_bytes_header(header, kRawData, data.size());
      rope.add_text(header);
      rope.add_view(data);
    } else {
      rope.add_text(field.whole);
    }
  }
  return rope;
}

}  // namespace pare::onnx
