// Result structs as JSON; the keys are documented in docs/json.md.
#pragma once

#include <nlohmann/json.hpp>

#include "pare/bench.h"
#include "pare/check.h"
#include "pare/evaluate.h"
#include "pare/inspect.h"
#include "pare/model.h"

namespace pare::cli {

template <class T>
nlohmann::json or_null(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json to_json(const PortInfo& port);
nlohmann::json to_json(const InputShapes& shapes);
nlohmann::json to_json(const Quality& quality);
nlohmann::json to_json(const LatencyInfo& latency);
nlohmann::json to_json(const std::vector<RefusalInfo>& refusals);

template <class T>
nlohmann::json to_json_list(const std::vector<T>& items) {
  nlohmann::json list = nlohmann::json::array();
  for (const T& item : items) list.push_back(to_json(item));
  return list;
}

}  // namespace pare::cli
