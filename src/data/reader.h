// What a row of readers.inc stands for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/settings.h"

namespace pare::data {

struct Reader {
  std::string name, summary;
  std::vector<std::string> keys;  ///< its own keys of a split, besides format and augment
  /// Opens the files; throws Error(kBadInput) naming the file that is missing or damaged.
  std::shared_ptr<const Source> (*open)(const Settings& split);
};

/// Every row, in order.
const std::vector<Reader>& reader_table();

}  // namespace pare::data
