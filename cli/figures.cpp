#include "figures.h"

namespace pare::cli {
namespace {

nlohmann::json interval(const std::optional<Interval95>& given) {
  return given ? nlohmann::json{given->low, given->high} : nlohmann::json();
}

}  // namespace

nlohmann::json to_json(const PortInfo& port) {
  return {{"name", port.name},
          {"dtype", std::string(name(port.dtype))},
          {"dims", port.ranked ? nlohmann::json(port.dims) : nlohmann::json()}};
}

nlohmann::json to_json(const InputShapes& shapes) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [name, dims] : shapes) object[name] = dims;
  return object;
}

nlohmann::json to_json(const Quality& quality) {
  return {{"samples", quality.samples},
          {"top1", or_null(quality.top1)},
          {"top1_interval", interval(quality.top1_interval)},
          {"top5", or_null(quality.top5)},
          {"loss", or_null(quality.loss)},
          {"agreement", or_null(quality.agreement)},
          {"agreement_interval", interval(quality.agreement_interval)},
          {"mse", or_null(quality.mse)},
          {"mae", or_null(quality.mae)},
          {"r2", or_null(quality.r2)},
          {"snr_db", or_null(quality.snr_db)}};
}

nlohmann::json to_json(const LatencyInfo& latency) {
  return {{"median_ms", latency.median_ms}, {"p10_ms", latency.p10_ms}, {"p90_ms", latency.p90_ms},
          {"p99_ms", latency.p99_ms},       {"min_ms", latency.min_ms}, {"runs", latency.runs}};
}

nlohmann::json to_json(const std::vector<RefusalInfo>& refusals) {
  nlohmann::json list = nlohmann::json::array();
  for (const RefusalInfo& refusal : refusals) {
    list.push_back({{"node", refusal.node},
                    {"op_type", refusal.op_type},
                    {"opset", refusal.opset},
                    {"inputs", refusal.inputs},
                    {"reason", refusal.reason}});
  }
  return list;
}

}  // namespace pare::cli
