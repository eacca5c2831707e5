// What is noted of a value for later steps: numbers in its baggage, kept in memory and never written to a file.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace pare::ir {

/// Metadata keys that begin so are notes.
inline constexpr std::string_view kNotePrefix = "pare.note.";

/// |γ| by output channel of the BatchNormalization that was folded into a value's producer.
inline constexpr std::string_view kBatchNormScale = "batch_norm_scale";

/// Replaces the note of that key.
void set_note(Value& value, std::string_view key, std::span<const float> numbers);
/// Empty where there is none.
std::vector<float> find_note(const Value& value, std::string_view key);

}  // namespace pare::ir
