// Reading a run record: every figure may be absent.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace pare::report {

using Json = nlohmann::json;

/// The member at a path of keys ("latency", "median_ms"); null when any of them is absent.
const Json& at(const Json& object, std::initializer_list<const char*> keys);
std::optional<double> number(const Json& object, std::initializer_list<const char*> keys);
std::string text(const Json& object, std::initializer_list<const char*> keys);  ///< "" when absent
std::vector<Json> list(const Json& object, const char* key);                    ///< empty when absent

/// The split that headline figures come from: "test" when it was measured, otherwise "val".
std::string headline_split(const Json& run);
/// "top1" → "Top-1 accuracy".
std::string metric_title(const std::string& metric);
/// The run's metric of one summary on a split, percent.
std::optional<double> metric_of(const Json& run, const Json& summary, const std::string& split);

/// Parses and checks the frame (format, version, kinds of the members). Error(kBadInput) otherwise.
Json parse_record(std::string_view run_json);

}  // namespace pare::report
