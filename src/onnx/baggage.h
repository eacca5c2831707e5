// What travels with messages and means nothing to Pare: documentation, metadata, unknown fields.
#pragma once

#include <map>
#include <string>

#include "ir/notes.h"
#include "onnx/pare_onnx.pb.h"

namespace pare::onnx {

template <class Message>
ir::Baggage baggage_of(const Message& message) {
  ir::Baggage baggage{message.doc_string(), {}, message.unknown_fields()};
  for (const auto& entry : message.metadata_props()) baggage.metadata[entry.key()] = entry.value();
  return baggage;
}

template <class Message>
void put_baggage(const ir::Baggage& baggage, Message& message) {
  if (!baggage.doc.empty()) message.set_doc_string(baggage.doc);
  for (const auto& [key, value] : baggage.metadata) {
    if (key.starts_with(ir::kNotePrefix)) continue;
    auto* entry = message.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
  if (!baggage.unknown_fields.empty()) message.mutable_unknown_fields()->append(baggage.unknown_fields);
}

inline bool is_empty(const ir::Baggage& baggage) {
  return baggage.doc.empty() && baggage.metadata.empty() && baggage.unknown_fields.empty();
}

}  // namespace pare::onnx
