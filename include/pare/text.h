// Text for people: sizes, counts, durations, and suggestions for mistyped words.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pare {

/// " (did you mean 'x'?)" for the candidate nearest by Damerau–Levenshtein distance, "" when none is near enough to be
/// a typo.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);
std::string format_bytes(std::int64_t bytes);  ///< "4.9 MB" (decimal units)
std::string format_count(std::int64_t count);  ///< "1.2 M"
std::string format_duration(double seconds);   ///< "1 h 02 min", "3.4 s"
/// Parses "512M", "2GiB", "1e9"; throws Error(kUsage) with `what` as subject.
std::int64_t parse_bytes(std::string_view text, const std::string& what);
/// Parses "1x3x224x224" (each axis at least 1); throws Error(kUsage) with `what` as subject.
std::vector<std::int64_t> parse_dims(std::string_view text, const std::string& what);

}  // namespace pare
