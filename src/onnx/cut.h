// Large raw tensor data stays outside protobuf: `cut` takes it out of a message before parsing, `splice` puts it into
// one after serializing. In between a TensorProto names its data by `cut_segment`, an index into the list of segments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "onnx/wire.h"

namespace pare::onnx {

enum class MessageKind { kModel, kGraph, kNode, kAttribute, kTensor, kFunction };

inline constexpr std::size_t kCutBytes = 4096;  ///< raw_data at least this long is cut out

struct CutMessage {
  std::string bytes;                       ///< the message without its large raw_data
  std::vector<std::string_view> segments;  ///< views into the original bytes
};

/// Throws WireError when the bytes are damaged or nested too deeply.
CutMessage cut(std::string_view message, MessageKind kind);

/// A message as a sequence of pieces, so that it can be written without being assembled in memory.
class Rope {
 public:
  void add_text(std::string_view text);   ///< copied
  void add_view(std::string_view bytes);  ///< must outlive the rope
  void add(Rope&& other);
  std::uint64_t size() const noexcept { return size_; }
  template <class F>
  void for_each(F visit) const {
    for (const Piece& piece : pieces_) visit(piece.view.data() ? piece.view : std::string_view(piece.text));
  }
  std::string str() const;

 private:
  struct Piece {
    std::string text;
    std::string_view view;
  };
  std::vector<Piece> pieces_;
  std::uint64_t size_ = 0;
};

/// The inverse of cut().
Rope splice(std::string_view message, MessageKind kind, const std::vector<std::string_view>& segments);

}  // namespace pare::onnx
