#include "compress/provenance.h"

namespace pare::compress {
namespace {

using nlohmann::json;

json quality_of(const json& summary, const char* split) {
  const json& metrics = summary.at(split);
  if (!metrics.is_object()) return nullptr;
  json kept = json::object();
  for (const char* key : {"samples", "top1", "loss", "agreement", "mse", "r2"})
    if (!metrics.at(key).is_null()) kept[key] = metrics.at(key);
  return kept;
}

/// A path means nothing elsewhere: a further model is named by the hash of its content.
json options_of(const json& step) {
  json options = step.at("options");
  if (step.contains("teacher")) options["teacher"] = step.at("teacher").at("hash");
  return options;
}

}  // namespace

json provenance_of(const ir::Model& model) {
  auto found = model.baggage.metadata.find(kProvenanceKey);
  if (found == model.baggage.metadata.end()) return json::array();
  json steps = json::parse(found->second, nullptr, false);
  return steps.is_array() ? steps : json::array();
}

void add_provenance(ir::Model& model, const json& run, const std::vector<std::string>& hashes, std::uint64_t seed) {
  json steps = provenance_of(model);
  const json& done = run.at("steps");
  for (std::size_t i = 0; i < done.size(); ++i)
    steps.push_back({{"step", done[i].at("step")},
                     {"method", done[i].at("method")},
                     {"options", options_of(done[i])},
                     {"seed", seed},
                     {"val", quality_of(done[i].at("summary"), "val")},
                     {"test", quality_of(done[i].at("summary"), "test")},
                     {"model_before", hashes.at(i)},
                     {"model_after", hashes.at(i + 1)}});
  model.baggage.metadata[kProvenanceKey] = steps.dump();
}

}  // namespace pare::compress
