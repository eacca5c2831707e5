#include "data/dataset.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/rng.h"
#include "base/text.h"
#include "data/config.h"
#include "data/input_check.h"
#include "data/split.h"
#include "pare/error.h"

namespace pare::data {

namespace {

/// What all splits of one file share.
struct Plan {
  Settings root;
  Preprocess preprocess;
  std::vector<InputSpec> inputs;
  std::optional<PortSpec> output;  ///< that labels and targets speak of

  /// Of the output; 0: not known.
  std::int64_t classes() const {
    return output && output->dims.size() >= 2 ? std::max<std::int64_t>(output->dims[1], 0) : 0;
  }
};

std::vector<std::int64_t> all(std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  return indices;
}

// Returns the largest label + 1.
std::int64_t check_labels(const Source& source, std::int64_t classes) {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < source.size(); ++i) {
    const std::int64_t label = source.label(i);
    if (label < 0 || (classes > 0 && label >= classes)) {
      throw Error(ErrorCode::kBadInput, source.where(i), "the label is out of range",
                  classes > 0 ? "0 to " + std::to_string(classes - 1) + ", the model's classes" : "0 or more",
                  std::to_string(label));
    }
    count = std::max(count, label + 1);
  }
  return count;
}

void check_classes(const Settings& split, const Source& source, std::int64_t classes) {
  if (source.classes() == 0 || classes == 0 || source.classes() == classes) return;
  const Error named = split.error("", "");
  throw Error(ErrorCode::kBadInput, named.subject(), "the numbers of classes of data and model differ",
              std::to_string(classes) + ", the model's", std::to_string(source.classes()));
}

/// The sample axes without those of size 1.
Dims squeezed(const Dims& dims) {
  Dims kept;
  for (std::size_t i = 1; i < dims.size(); ++i)
    if (dims[i] != 1) kept.push_back(dims[i]);
  return kept;
}

/// Targets in the shape of the output: [N] is [N, 1] where the model says so.
Tensor fitting_targets(const Tensor& targets, const Plan& plan, const Settings& split) {
  if (!plan.output || plan.output->dims.empty()) return targets;
  const Dims &wanted = plan.output->dims, &got = targets.dims();
  const Dims wanted_sample = squeezed(wanted), got_sample = squeezed(got);
  bool same = wanted_sample.size() == got_sample.size();
  for (std::size_t i = 0; same && i < got_sample.size(); ++i)
    same = wanted_sample[i] < 0 || wanted_sample[i] == got_sample[i];
  if (!same) {
    throw split.error("targets",
                      "have another shape than the model's output '" + plan.output->name + "' (without the batch axis)",
                      sample_text(wanted), sample_text(got));
  }
  const bool open = std::find(wanted.begin() + 1, wanted.end(), -1) != wanted.end();
  if (open) return targets;
  Dims shape = wanted;
  shape[0] = got[0];
  return targets.reshaped(shape);
}

void refuse_image_settings(const Plan& plan, const Settings& split, const Augment& augment) {
  if (plan.root.has("preprocess")) {
    throw plan.root.error("preprocess", "applies to images, but " + split.text("format") +
                                            " gives arrays, which must be ready for the model");
  }
  if (augment.pad_crop > 0 || augment.hflip) throw split.error("augment", "applies to images, not to arrays");
}

std::shared_ptr<SplitContext> open_split(const Plan& plan, const std::string& key) {
  const Settings split = plan.root.map(key);
  const Reader& reader = parse_format(split);
  auto context = std::make_shared<SplitContext>();
  context->preprocess = plan.preprocess;
  context->inputs = plan.inputs;
  if (split.has("augment")) {
    if (key != "train") throw split.error("augment", "belongs to train: other splits are read as they are");
    context->augment = parse_augment(split.map("augment"));
  }
  context->source = reader.open(split);
  const Source& source = *context->source;
  check_classes(split, source, plan.classes());
  if (source.labelled()) {
    context->classes = std::max(source.classes(), check_labels(source, plan.classes()));
  }
  if (source.targets().defined()) context->targets = fitting_targets(source.targets(), plan, split);
  if (source.images()) {
    const std::string where = source.where(0);
    const Tensor image = prepare_geometry(source.read(0).inputs.begin()->second, plan.preprocess, where);
    context->image_input = check_image(image, plan.preprocess, plan.inputs, where);
    context->normalizer = std::make_shared<const Normalizer>(plan.preprocess, image.dim(2));
  } else {
    refuse_image_settings(plan, split, context->augment);
    check_arrays(source.read(0), plan.inputs, source.where(0));
  }
  context->identity = split.canonical();
  if (plan.root.has("preprocess")) context->identity += plan.root.map("preprocess").canonical();
  return context;
}

/// Splits train into what stays and what is held out, both in ascending order.
std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>> hold_out(std::int64_t count, double fraction,
                                                                         std::uint64_t seed) {
  auto held = static_cast<std::int64_t>(std::llround(fraction * static_cast<double>(count)));
  if (fraction > 0 && held == 0) held = 1;
  if (held >= count) held = 0;  // a lone sample stays in train
  std::vector<std::int64_t> order = Rng(seed, kRngSplit).permutation(count);
  std::vector<std::int64_t> val(order.begin(), order.begin() + held), train(order.begin() + held, order.end());
  std::sort(val.begin(), val.end());
  std::sort(train.begin(), train.end());
  return {std::move(train), std::move(val)};
}

void open_train(const Plan& plan, std::uint64_t seed, Dataset& dataset) {
  const std::shared_ptr<SplitContext> context = open_split(plan, "train");
  auto [train, val] = hold_out(context->source->size(), parse_holdout(plan.root), seed);
  dataset.train = make_split(context, std::move(train));
  if (val.empty()) return;
  auto unaugmented = std::make_shared<SplitContext>(*context);
  unaugmented->augment = {};
  dataset.val = make_split(std::move(unaugmented), std::move(val));
}

std::shared_ptr<const Split> open_whole(const Plan& plan, const std::string& key) {
  const std::shared_ptr<SplitContext> context = open_split(plan, key);
  const std::int64_t count = context->source->size();
  return make_split(context, all(count));
}

/// The output that `output` names, else the first.
std::optional<PortSpec> chosen_output(const Settings& root, const std::vector<PortSpec>& outputs) {
  if (!root.has("output")) return outputs.empty() ? std::nullopt : std::optional(outputs.front());
  const std::string wanted = root.text("output");
  std::vector<std::string> names;
  for (const PortSpec& output : outputs) {
    if (output.name == wanted) return output;
    names.push_back(output.name);
  }
  throw root.error("output", "the model has no such output of floats" + did_you_mean(wanted, names),
                   "one of " + join(names, ", "), "'" + wanted + "'");
}

void require_one_task(const Settings& root, const Dataset& dataset) {
  bool labelled = false, regression = false;
  for (const auto& split : {dataset.train, dataset.val, dataset.test}) {
    labelled = labelled || (split && split->labelled());
    regression = regression || (split && split->regression());
  }
  if (labelled && regression)
    throw root.error("", "some splits have labels and others targets: a model is judged by classes or by numbers");
}

std::string describe(const Settings& root, const Dataset& dataset, bool held_out) {
  std::vector<std::string> parts;
  for (const char* key : {"train", "val", "test"}) {
    if (!root.has(key) || !root.map(key).has("format")) continue;
    const std::string format = root.map(key).text("format");
    if (std::find(parts.begin(), parts.end(), format) == parts.end()) parts.push_back(format);
  }
  if (dataset.train) parts.push_back(std::to_string(dataset.train->size()) + " train");
  if (dataset.val) parts.push_back(std::to_string(dataset.val->size()) + (held_out ? " val (held out)" : " val"));
  if (dataset.test) parts.push_back(std::to_string(dataset.test->size()) + " test");
  return join(parts, ", ");
}

}  // namespace

Dataset open_dataset(const std::filesystem::path& yaml, const std::vector<InputSpec>& inputs, std::int64_t classes,
                     std::uint64_t seed) {
  ModelPorts model{inputs, {}};
  if (classes > 0) model.outputs.push_back({"", DType::kFloat32, {-1, classes}});
  return open_dataset(yaml, model, seed);
}

Dataset open_dataset(const std::filesystem::path& yaml, const ModelPorts& model, std::uint64_t seed) {
  Plan plan{Settings::load(yaml), {}, model.inputs, {}};
  const Settings& root = plan.root;
  root.allow_only({"train", "val", "test", "preprocess", "output"});
  if (!root.has("train") && !root.has("val") && !root.has("test")) {
    throw root.error("", "names no data", "at least one of train, val, test");
  }
  plan.output = chosen_output(root, model.outputs);
  if (root.has("preprocess")) plan.preprocess = parse_preprocess(root.map("preprocess"));
  const bool own_val = root.has("val") && !root.map("val").has("holdout");
  parse_holdout(root);  // finds its faults before large files are read
  Dataset dataset;
  if (root.has("train")) open_train(plan, seed, dataset);
  if (own_val) dataset.val = open_whole(plan, "val");
  if (root.has("test")) dataset.test = open_whole(plan, "test");
  dataset.output = root.has("output") ? root.text("output") : "";
  require_one_task(root, dataset);
  dataset.description = describe(root, dataset, !own_val);
  return dataset;
}

}  // namespace pare::data
