#include "command.h"

#include <iostream>

#include "pare/error.h"
#include "pare/text.h"
#include "progress.h"
#include "signals.h"

namespace pare::cli {

ExecutionOptions Globals::execution() const {
  ExecutionOptions options;
  options.seed = seed;
  options.threads = threads.front();
  if (!max_memory.empty()) options.max_memory = parse_bytes(max_memory, "--max-memory");
  return options;
}

void add_globals(CLI::App& command, Globals& globals, bool lists) {
  const std::string group = "Everywhere";
  command.add_option("--seed", globals.seed, "every random choice comes from it (default 0)")
      ->group(group)
      ->type_name("N");
  CLI::Option* threads = command.add_option("--threads", globals.threads, "CPU threads (default 0: all cores)");
  threads->group(group)->check(CLI::NonNegativeNumber);
  if (lists) {
    threads->delimiter(',')->type_name("N,…");
  } else {
    threads->expected(1)->type_name("N");
  }
  command.add_option("--max-memory", globals.max_memory, "stay below, for example 512M or 2GiB")
      ->group(group)
      ->type_name("SIZE");
  command.add_flag("--dry-run", globals.dry_run, "say what would happen, write nothing")->group(group);
  command.add_flag("--resume", globals.resume, "continue from the checkpoints of an interrupted run")->group(group);
  command.add_flag("--force", globals.force, "replace existing results")->group(group);
  command.add_flag("--quiet", globals.quiet, "no progress on standard error")->group(group);
  command.add_flag("--json", globals.json, "print one JSON object (docs/json.md)")->group(group);
}

void add_model(CLI::App& command, std::string& model) {
  command.add_option("MODEL", model, "the model, an ONNX or .pare file")->required()->type_name("");
}

void add_shapes(CLI::App& command, std::vector<std::string>& shapes) {
  command.add_option("--shape", shapes, "shape of an input, repeatable: --shape x=1x3x224x224")
      ->expected(1)
      ->take_all()
      ->type_name("NAME=1x3x…");
}

void add_precision(CLI::App& command, DType& precision) {
  const std::vector<std::string> names = {"f32", "bf16"};
  command
      .add_option_function<std::string>(
          "--precision",
          [&precision](const std::string& name) {
            precision = name == "bf16" ? DType::kBFloat16 : DType::kFloat32;
          },
          "of the products of float32 layers; bf16: rounded inputs and weights, float32 sums (default f32)")
      ->check(CLI::IsMember(names))
      ->type_name("NAME");
}

void add_exact(CLI::App& command, bool& exact) {
  command.add_flag("--exact", exact,
                   "no kernels whose float32 sums round more than a direct product's: no Winograd convolutions");
}

std::string_view precision_name(DType precision) noexcept {
  return precision == DType::kBFloat16 ? "bf16" : "f32";
}

InputShapes parse_shapes(const std::vector<std::string>& shapes) {
  InputShapes parsed;
  for (const std::string& text : shapes) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0) {
      throw Error(ErrorCode::kUsage, "--shape", "no input named", "NAME=1x3x224x224", text);
    }
    const std::string name = text.substr(0, equals);
    if (!parsed.emplace(name, parse_dims(text.substr(equals + 1), "--shape " + name)).second) {
      throw Error(ErrorCode::kUsage, "--shape " + name, "given twice");
    }
  }
  return parsed;
}

Model load_model(const std::string& path, const Globals& globals) {
  Model model = Model::load(path);
  if (!globals.quiet && !model.note().empty()) std::cerr << "pare: note: " << model.note() << "\n";
  return model;
}

Control make_control(const Globals& globals) {
  Control control = progress_control(globals.quiet);
  control.cancel = catch_signals();
  return control;
}

void print_json(const nlohmann::json& object) {
  std::cout << object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

}  // namespace pare::cli
