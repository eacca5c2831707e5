// What compress and its shorthands do once model, data, recipe and outputs are known.
#pragma once

#include <functional>
#include <string>

#include "command.h"
#include "pare/compress.h"

namespace pare::cli {

/// Runs or, with --dry-run, plans; prints the result. Returns the exit code.
int run_job(const Model& model, const Dataset& data, const Recipe& recipe, const Outputs& outputs,
            const Globals& globals, const std::string& command);

}  // namespace pare::cli
