// The keys of a data YAML that are not a reader's own.
#pragma once

#include "data/dataset.h"
#include "data/reader.h"
#include "data/settings.h"

namespace pare::data {

/// Throws Error(kUsage) for values out of range, naming the key.
Preprocess parse_preprocess(const Settings& settings);
Augment parse_augment(const Settings& settings);

/// The row that split.format names, with every key of the split known to it. Throws Error(kUsage).
const Reader& parse_format(const Settings& split);

/// The fraction of train to hold out as val: val.holdout, a tenth without `val`, 0 when val has samples of its own.
double parse_holdout(const Settings& root);

}  // namespace pare::data
