// What every subcommand shares: the global flags, and how it is added to the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "pare/control.h"
#include "pare/model.h"

namespace pare::cli {

/// --seed --threads --dry-run --resume --force --quiet --max-memory --json
struct Globals {
  std::uint64_t seed = 0;
  std::vector<int> threads = {0};  ///< one, but for bench
  bool dry_run = false, resume = false, force = false, quiet = false, json = false;
  std::string max_memory;

  ExecutionOptions execution() const;  ///< Error(kUsage) for a malformed --max-memory
};

/// What main() runs once the command line is parsed. The action returns the exit code.
struct Invocation {
  std::string command;  ///< the command line, quoted for a shell
  std::function<int()> action;
};

/// A command adds its subcommand to the app; parsing it sets Invocation::action.
using AddCommand = void (*)(CLI::App& app, Invocation& invocation);

void add_inspect(CLI::App& app, Invocation& invocation);
void add_check(CLI::App& app, Invocation& invocation);
void add_compress(CLI::App& app, Invocation& invocation);
void add_shorthands(CLI::App& app, Invocation& invocation);  ///< one for every step that methods() lists
void add_eval(CLI::App& app, Invocation& invocation);
void add_compare(CLI::App& app, Invocation& invocation);
void add_convert(CLI::App& app, Invocation& invocation);
void add_bench(CLI::App& app, Invocation& invocation);
void add_run(CLI::App& app, Invocation& invocation);
void add_report(CLI::App& app, Invocation& invocation);
void add_doctor(CLI::App& app, Invocation& invocation);
void add_docs(CLI::App& app, Invocation& invocation);  ///< hidden

/// Adds the global flags; `lists`: --threads takes several.
void add_globals(CLI::App& command, Globals& globals, bool lists = false);
/// Adds the positional MODEL.
void add_model(CLI::App& command, std::string& model);
/// Adds --shape NAME=1x3x224x224, repeatable.
void add_shapes(CLI::App& command, std::vector<std::string>& shapes);
/// Adds --precision f32|bf16.
void add_precision(CLI::App& command, DType& precision);
/// Adds --exact.
void add_exact(CLI::App& command, bool& exact);
std::string_view precision_name(DType precision) noexcept;  ///< as --precision takes it
/// Error(kUsage) naming --shape.
InputShapes parse_shapes(const std::vector<std::string>& shapes);

/// Progress and logs on standard error (progress.h), cancellation by SIGINT and SIGTERM.
Control make_control(const Globals& globals);

/// Model::load() with the model's note on standard error, unless --quiet.
Model load_model(const std::string& path, const Globals& globals);

/// Prints one object on standard output.
void print_json(const nlohmann::json& object);

}  // namespace pare::cli
