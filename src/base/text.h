// Small text helpers of messages and selectors.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pare {

/// Nearest candidate by Damerau–Levenshtein distance, or "" when none is near enough to be a typo.
std::string nearest(std::string_view word, std::span<const std::string> candidates);
/// " (did you mean 'x'?)" or "".
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);
/// Shell glob with * ? and [set]; matches the whole text; '*' crosses '/' and '.'.
bool glob_match(std::string_view pattern, std::string_view text);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::vector<std::string> split(std::string_view text, char separator);
std::string trim(std::string_view text);
std::string format_bytes(std::int64_t bytes);  ///< "4.9 MB" (decimal units)
std::string format_count(std::int64_t count);  ///< "1.2 M"
std::string format_duration(double seconds);   ///< "1 h 02 min", "3.4 s"
/// Parses "512M", "2GiB", "1e9"; throws Error(kUsage) with `what` as subject.
std::int64_t parse_bytes(std::string_view text, const std::string& what);

}  // namespace pare
