#include "data/settings.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "base/file.h"
#include "base/text.h"

namespace pare::data {

struct Settings::Node {
  enum class Kind { kScalar, kList, kMap, kNull } kind = Kind::kNull;
  std::string scalar;
  std::vector<std::shared_ptr<const Node>> children;  // of a list or map
  std::vector<std::string> keys;                      // of a map, one a child
  int line = 0;
};

namespace {

using Node = Settings::Node;

std::shared_ptr<const Node> convert(const YAML::Node& yaml, const std::string& file) {
  auto node = std::make_shared<Node>();
  node->line = yaml.Mark().line + 1;
  if (yaml.IsScalar()) {
    node->kind = Node::Kind::kScalar;
    node->scalar = yaml.Scalar();
  } else if (yaml.IsSequence()) {
    node->kind = Node::Kind::kList;
    for (const YAML::Node& item : yaml) node->children.push_back(convert(item, file));
  } else if (yaml.IsMap()) {
    node->kind = Node::Kind::kMap;
    for (const auto& entry : yaml) {
      const std::string where = file + " line " + std::to_string(entry.first.Mark().line + 1);
      if (!entry.first.IsScalar()) throw Error(ErrorCode::kUsage, where, "keys must be plain words");
      const std::string key = entry.first.Scalar();
      if (std::find(node->keys.begin(), node->keys.end(), key) != node->keys.end()) {
        throw Error(ErrorCode::kUsage, where, "the key '" + key + "' is given twice");
      }
      node->keys.push_back(key);
      node->children.push_back(convert(entry.second, file));
    }
  }
  return node;
}

std::string describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kScalar:
      return "'" + node.scalar + "'";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a map";
    case Node::Kind::kNull:
      return "nothing";
  }
  return "nothing";
}

bool parse_number(const std::string& text, double& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && stop == end && std::isfinite(value);
}

void write_canonical(const Node& node, std::string& out) {
  out += static_cast<char>('0' + static_cast<int>(node.kind));
  out += std::to_string(node.scalar.size()) + ":" + node.scalar;
  out += '{';
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    if (!node.keys.empty()) out += std::to_string(node.keys[i].size()) + ":" + node.keys[i] + "=";
    write_canonical(*node.children[i], out);
  }
  out += '}';
}

}  // namespace

Settings::Settings(std::shared_ptr<const Node> node, std::string file, std::string path)
    : node_(std::move(node)), file_(std::move(file)), path_(std::move(path)) {}

Settings Settings::load(const std::filesystem::path& yaml) {
  const std::string content = read_file(yaml);
  std::shared_ptr<const Node> root;
  try {
    root = convert(YAML::Load(content), yaml.string());
  } catch (const YAML::Exception& error) {
    throw Error(ErrorCode::kUsage, yaml.string() + " line " + std::to_string(error.mark.line + 1),
                "is not YAML: " + error.msg);
  }
  if (root->kind != Node::Kind::kMap) {
    throw Error(ErrorCode::kUsage, yaml.string(), "is not a YAML map", "keys such as train and test", describe(*root));
  }
  return Settings(root, yaml.string(), "");
}

const Settings::Node& Settings::get(const std::string& key) const {
  const auto found = std::find(node_->keys.begin(), node_->keys.end(), key);
  if (found == node_->keys.end()) throw error("", "the key '" + key + "' is missing");
  return *node_->children[static_cast<std::size_t>(found - node_->keys.begin())];
}

bool Settings::has(const std::string& key) const {
  return std::find(node_->keys.begin(), node_->keys.end(), key) != node_->keys.end();
}

const std::vector<std::string>& Settings::keys() const { return node_->keys; }

void Settings::allow_only(const std::vector<std::string>& known) const {
  for (const std::string& key : node_->keys) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    throw error(key, "unknown key" + did_you_mean(key, known), "one of " + join(known, ", "));
  }
}

Settings Settings::map(const std::string& key) const {
  const Node& node = get(key);
  if (node.kind != Node::Kind::kMap) throw error(key, "must be a map", "key: value pairs", describe(node));
  return Settings(std::shared_ptr<const Node>(node_, &node), file_, path_.empty() ? key : path_ + "." + key);
}

std::string Settings::text(const std::string& key) const {
  const Node& node = get(key);
  if (node.kind != Node::Kind::kScalar || node.scalar.empty()) throw error(key, "must be a text", "", describe(node));
  return node.scalar;
}

std::vector<std::string> Settings::texts(const std::string& key) const {
  const Node& node = get(key);
  if (node.kind == Node::Kind::kScalar) return {text(key)};
  std::vector<std::string> values;
  for (const auto& child : node.children) {
    if (child->kind != Node::Kind::kScalar) throw error(key, "must hold texts", "", describe(*child));
    values.push_back(child->scalar);
  }
  if (node.kind != Node::Kind::kList || values.empty())
    throw error(key, "must be a text or a list", "", describe(node));
  return values;
}

std::vector<double> Settings::numbers(const std::string& key) const {
  std::vector<double> values;
  for (const std::string& word : texts(key)) {
    double value = 0;
    if (!parse_number(word, value)) throw error(key, "must hold numbers", "", "'" + word + "'");
    values.push_back(value);
  }
  return values;
}

double Settings::number(const std::string& key) const {
  const Node& node = get(key);
  double value = 0;
  if (node.kind != Node::Kind::kScalar || !parse_number(node.scalar, value)) {
    throw error(key, "must be a number", "", describe(node));
  }
  return value;
}

std::int64_t Settings::integer(const std::string& key) const {
  const double value = number(key);
  if (value != std::floor(value) || std::abs(value) > 1e15) throw error(key, "must be a whole number", "", text(key));
  return static_cast<std::int64_t>(value);
}

bool Settings::flag(const std::string& key) const {
  const Node& node = get(key);
  if (node.scalar == "true" || node.scalar == "yes") return true;
  if (node.scalar == "false" || node.scalar == "no") return false;
  throw error(key, "must be true or false", "", describe(node));
}

bool Settings::is_map(const std::string& key) const { return get(key).kind == Node::Kind::kMap; }
bool Settings::is_list(const std::string& key) const { return get(key).kind == Node::Kind::kList; }

std::filesystem::path Settings::path(const std::string& key) const {
  return (std::filesystem::path(file_).parent_path() / text(key)).lexically_normal();
}

std::vector<std::filesystem::path> Settings::paths(const std::string& key) const {
  std::vector<std::filesystem::path> result;
  for (const std::string& word : texts(key)) {
    result.push_back((std::filesystem::path(file_).parent_path() / word).lexically_normal());
  }
  return result;
}

Error Settings::error(const std::string& key, const std::string& problem, const std::string& expected,
                      const std::string& got) const {
  int line = node_->line;
  for (std::size_t i = 0; i < node_->keys.size(); ++i) {
    if (node_->keys[i] == key) line = node_->children[i]->line;
  }
  std::string name = path_;
  if (!key.empty()) name += (name.empty() ? "" : ".") + key;
  std::string subject = file_;
  if (line > 0) subject += " line " + std::to_string(line);
  if (!name.empty()) subject += ": " + name;
  return Error(ErrorCode::kUsage, subject, problem, expected, got);
}

std::string Settings::canonical() const {
  std::string out;
  write_canonical(*node_, out);
  return out;
}

}  // namespace pare::data
