// The machine and the build, for run records and `pare doctor`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace pare::api {

std::string os_name();   ///< "Debian GNU/Linux 12 (bookworm), Linux 6.1.0"
std::string compiler();  ///< "GCC 12.2.0"
/// The `environment` object of run.json. `threads` is resolved.
nlohmann::json environment(int threads);

}  // namespace pare::api
