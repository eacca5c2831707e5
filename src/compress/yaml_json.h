// YAML text to JSON values and back; plain scalars are typed by the YAML 1.2 core rules (so 8:64 stays a string).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace pare::compress {

/// Throws Error(kUsage) with `subject`, line and column for broken YAML, repeated keys, anchors that recurse.
nlohmann::json yaml_to_json(const std::string& yaml, const std::string& subject);
/// A scalar or list in flow style that yaml_to_json reads back as the same value.
std::string yaml_flow(const nlohmann::json& value);

}  // namespace pare::compress
