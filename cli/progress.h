// Progress on standard error: a bar that is redrawn on a terminal, plain lines now and then elsewhere.
#pragma once

#include <string>

#include "pare/control.h"

namespace pare::cli {

/// `quiet`: warnings only.
Control progress_control(bool quiet);
/// Takes the bar off the terminal, so that other output starts on a clean line.
void clear_progress();
/// One line on standard error, past the bar.
void print_log(const std::string& line);

}  // namespace pare::cli
