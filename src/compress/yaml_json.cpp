#include "compress/yaml_json.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <regex>

#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 64;  // recipes are four levels deep; aliases could nest without end

json scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!" || node.Tag() == "!!str") return text;  // quoted
  if (text == "null" || text == "~" || text.empty()) return nullptr;
  if (text == "true" || text == "True") return true;
  if (text == "false" || text == "False") return false;
  static const std::regex integer("[-+]?[0-9]+"), real("[-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?");
  const char* begin = text.data() + (text[0] == '+');
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (std::regex_match(text, integer) && std::from_chars(begin, end, whole).ec == std::errc()) return whole;
  double number = 0;
  if (std::regex_match(text, real) && std::from_chars(begin, end, number).ec == std::errc()) return number;
  return text;
}

json convert(const YAML::Node& node, const std::string& subject, int depth) {
  if (depth > kMaxDepth) throw Error(ErrorCode::kUsage, subject, "YAML is nested too deeply");
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return scalar(node);
    case YAML::NodeType::Sequence: {
      json list = json::array();
      for (const YAML::Node& item : node) list.push_back(convert(item, subject, depth + 1));
      return list;
    }
    case YAML::NodeType::Map: {
      json map = json::object();
      for (const auto& entry : node) {
        if (!entry.first.IsScalar()) throw Error(ErrorCode::kUsage, subject, "a key must be a word");
        const std::string& key = entry.first.Scalar();
        if (map.contains(key)) throw Error(ErrorCode::kUsage, subject + ": " + key, "key given twice");
        map[key] = convert(entry.second, subject, depth + 1);
      }
      return map;
    }
    default:
      return nullptr;
  }
}

}  // namespace

json yaml_to_json(const std::string& yaml, const std::string& subject) {
  try {
    return convert(YAML::Load(yaml), subject, 0);
  } catch (const YAML::Exception& error) {
    std::string place = error.mark.is_null() ? ""
                                             : ", line " + std::to_string(error.mark.line + 1) + " column " +
                                                   std::to_string(error.mark.column + 1);
    throw Error(ErrorCode::kUsage, subject, "not valid YAML: " + error.msg + place);
  }
}

std::string yaml_flow(const json& value) {
  if (value.is_object()) {
    std::string text = "{";
    for (const auto& [key, item] : value.items()) text += (text.size() > 1 ? ", " : "") + key + ": " + yaml_flow(item);
    return text + "}";
  }
  if (value.is_array()) {
    std::string text = "[";
    for (const json& item : value) text += (text.size() > 1 ? ", " : "") + yaml_flow(item);
    return text + "]";
  }
  static const std::regex plain("[A-Za-z][A-Za-z0-9_-]*");
  if (value.is_string() && std::regex_match(value.get<std::string>(), plain) &&
      scalar(YAML::Node(value.get<std::string>())).is_string())
    return value.get<std::string>();
  return value.dump();  // JSON strings and numbers are YAML
}

}  // namespace pare::compress
