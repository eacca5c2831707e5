// What the parts of a choice cost, for the record.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace pare::compress {

/// While alive, its seconds belong to a part: added to found["parts"][part].
class PartTimer {
 public:
  PartTimer(nlohmann::json& found, std::string part) : found_(found), part_(std::move(part)) {}
  ~PartTimer() {
    nlohmann::json& seconds = found_["parts"][part_];
    const double now = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    seconds = seconds.is_number() ? seconds.get<double>() + now : now;
  }
  PartTimer(const PartTimer&) = delete;
  PartTimer& operator=(const PartTimer&) = delete;

 private:
  nlohmann::json& found_;
  std::string part_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace pare::compress
