// A YAML file as a tree of settings whose errors name the file, the line and the key path.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pare/error.h"

namespace pare::data {

/// One node of the tree. Cheap to copy; never changes.
class Settings {
 public:
  /// Throws Error(kBadInput) for a missing file, Error(kUsage) for one that is not a YAML map.
  static Settings load(const std::filesystem::path& yaml);

  bool has(const std::string& key) const;
  const std::vector<std::string>& keys() const;
  /// Throws Error(kUsage) with a suggestion for a key that is not in `known`.
  void allow_only(const std::vector<std::string>& known) const;

  /// Each throws Error(kUsage) when the key is absent or holds something else.
  Settings map(const std::string& key) const;
  std::string text(const std::string& key) const;
  std::vector<std::string> texts(const std::string& key) const;  ///< a list or a single value
  double number(const std::string& key) const;
  std::vector<double> numbers(const std::string& key) const;  ///< a list or a single value
  std::int64_t integer(const std::string& key) const;
  bool flag(const std::string& key) const;
  bool is_map(const std::string& key) const;
  bool is_list(const std::string& key) const;
  /// A path, taken relative to the YAML file's folder; the same for a list.
  std::filesystem::path path(const std::string& key) const;
  std::vector<std::filesystem::path> paths(const std::string& key) const;

  /// An error about a key (or about this node for ""): "data.yaml line 3: train.images: problem".
  Error error(const std::string& key, const std::string& problem, const std::string& expected = {},
              const std::string& got = {}) const;
  /// Unambiguous text of the subtree, for fingerprints.
  std::string canonical() const;

  struct Node;

 private:
  Settings(std::shared_ptr<const Node> node, std::string file, std::string path);
  const Node& get(const std::string& key) const;

  std::shared_ptr<const Node> node_;
  std::string file_, path_;
};

}  // namespace pare::data
