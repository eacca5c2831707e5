// Operators of domain pare stand in private copies of a model, most while it trains, and in no file that Pare writes.
#pragma once

#include <string_view>

namespace pare::ir {

inline constexpr std::string_view kPareDomain = "pare";

}  // namespace pare::ir
