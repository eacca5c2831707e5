#include "data/config.h"

#include <algorithm>

#include "base/text.h"
#include "data/color.h"
#include "data/resize.h"

namespace pare::data {

namespace {

std::string choice(const Settings& settings, const std::string& key, const std::vector<std::string>& allowed) {
  const std::string value = settings.text(key);
  if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
    throw settings.error(key, "unknown value" + did_you_mean(value, allowed), "one of " + join(allowed, ", "),
                         "'" + value + "'");
  }
  return value;
}

int pixels(const Settings& settings, const std::string& key, double value, int least) {
  if (value != static_cast<int>(value) || value < least || value > 65535) {
    throw settings.error(key, "is not a number of pixels", std::to_string(least) + " to 65535",
                         settings.texts(key).front());
  }
  return static_cast<int>(value);
}

// "n" or "[height, width]".
std::pair<int, int> size(const Settings& settings, const std::string& key) {
  const std::vector<double> values = settings.numbers(key);
  if (values.size() > 2)
    throw settings.error(key, "needs one number or [height, width]", "", std::to_string(values.size()));
  return {pixels(settings, key, values.front(), 1), pixels(settings, key, values.back(), 1)};
}

}  // namespace

Preprocess parse_preprocess(const Settings& settings) {
  settings.allow_only({"scale", "mean", "std", "resize", "interpolation", "crop", "layout", "color"});
  Preprocess result;
  if (settings.has("scale")) result.scale = settings.number("scale");
  if (result.scale == 0) throw settings.error("scale", "must not be 0: pixels are divided by it");
  if (settings.has("mean")) result.mean = settings.numbers("mean");
  if (settings.has("std")) result.std = settings.numbers("std");
  for (const double deviation : result.std) {
    if (!(deviation > 0)) throw settings.error("std", "must hold numbers above 0", "", settings.texts("std").front());
  }
  if (settings.has("resize")) {
    result.resize = size(settings, "resize");
    result.resize_shorter_side = !settings.is_list("resize") || settings.numbers("resize").size() == 1;
  }
  if (settings.has("interpolation")) result.interpolation = choice(settings, "interpolation", resize_filters());
  if (settings.has("crop")) result.crop = size(settings, "crop");
  if (settings.has("layout")) result.layout = choice(settings, "layout", {"NCHW", "NHWC"});
  if (settings.has("color")) result.color = choice(settings, "color", colors());
  return result;
}

Augment parse_augment(const Settings& settings) {
  settings.allow_only({"pad_crop", "hflip"});
  Augment result;
  if (settings.has("pad_crop")) result.pad_crop = pixels(settings, "pad_crop", settings.number("pad_crop"), 0);
  if (settings.has("hflip")) result.hflip = settings.flag("hflip");
  return result;
}

const Reader& parse_format(const Settings& split) {
  const std::string format = split.text("format");
  std::vector<std::string> names;
  for (const Reader& reader : reader_table()) {
    if (reader.name == format) {
      std::vector<std::string> keys{"format", "augment"};
      keys.insert(keys.end(), reader.keys.begin(), reader.keys.end());
      split.allow_only(keys);
      return reader;
    }
    names.push_back(reader.name);
  }
  throw split.error("format", "unknown format" + did_you_mean(format, names), "one of " + join(names, ", "),
                    "'" + format + "'");
}

double parse_holdout(const Settings& root) {
  if (!root.has("val")) return root.has("train") ? 0.1 : 0;
  const Settings val = root.map("val");
  if (!val.has("holdout")) return 0;
  val.allow_only({"holdout"});
  if (!root.has("train")) throw val.error("holdout", "needs a train split to hold samples out of");
  const double fraction = val.number("holdout");
  if (!(fraction >= 0 && fraction < 1)) {
    throw val.error("holdout", "is not a fraction of train", "0 or more, less than 1", val.text("holdout"));
  }
  return fraction;
}

}  // namespace pare::data
