// pare run MODEL --input x=x.npy -o y.npz
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>

#include "command.h"
#include "figures.h"
#include "pare/error.h"
#include "pare/session.h"
#include "pare/tensor_file.h"
#include "table.h"

namespace pare::cli {
namespace {

struct Options {
  Globals globals;
  std::string model, archive, output;
  std::vector<std::string> inputs;
  bool float_qdq = false;
  DType precision = DType::kFloat32;
  bool exact = false;
};

NamedTensors read_inputs(const Options& options, const Model& model) {
  if (!options.archive.empty()) return read_npz(options.archive);
  if (options.inputs.empty()) {
    throw Error(ErrorCode::kUsage, "run", "no inputs", "--input NAME=x.npy for each input, or --inputs all.npz");
  }
  NamedTensors inputs;
  for (const std::string& text : options.inputs) {
    const std::size_t equals = text.find('=');
    std::string name = equals == std::string::npos ? "" : text.substr(0, equals);
    const std::string path = equals == std::string::npos ? text : text.substr(equals + 1);
    if (name.empty()) {
      if (model.inputs().size() != 1) throw Error(ErrorCode::kUsage, "--input", "no input named", "NAME=x.npy", text);
      name = model.inputs()[0].name;
    }
    if (!inputs.emplace(name, read_npy(path)).second) throw Error(ErrorCode::kUsage, "--input " + name, "given twice");
  }
  return inputs;
}

nlohmann::json describe(const std::string& name, const Tensor& tensor) {
  nlohmann::json object = {{"name", name},          {"dtype", std::string(pare::name(tensor.dtype()))},
                           {"dims", tensor.dims()}, {"min", nullptr},
                           {"max", nullptr},        {"mean", nullptr}};
  if (tensor.dtype() != DType::kFloat32 || tensor.numel() == 0) return object;
  const auto values = tensor.data<float>();
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  double sum = 0;
  for (float value : values) sum += value;
  object["min"] = *low;
  object["max"] = *high;
  object["mean"] = sum / static_cast<double>(values.size());
  return object;
}

void print_outputs(const nlohmann::json& outputs) {
  Table table({{"output"}, {"type"}, {"shape"}, {"min", kRight}, {"mean", kRight}, {"max", kRight}});
  const auto figure = [](const nlohmann::json& value) {
    return value.is_number() ? fixed(value.get<double>(), 4) : std::string();
  };
  for (const auto& output : outputs) {
    table.add({output["name"], output["dtype"], shape_text(output["dims"].get<Dims>()), figure(output["min"]),
               figure(output["mean"]), figure(output["max"])});
  }
  table.print();
}

void refuse_existing(const Options& options) {
  if (options.output.empty() || options.globals.force || !std::filesystem::exists(options.output)) return;
  throw Error(ErrorCode::kUsage, options.output, "exists", "--force to replace it");
}

int run(const Options& options) {
  refuse_existing(options);
  const Model model = load_model(options.model, options.globals);
  const NamedTensors inputs = read_inputs(options, model);
  SessionOptions how;
  how.execution = options.globals.execution();
  how.float_qdq = options.float_qdq;
  how.precision = options.precision;
  how.exact = options.exact;
  Session session(model, how);
  nlohmann::json described = nlohmann::json::array();
  if (options.globals.dry_run) {
    for (const auto& [name, tensor] : inputs) described.push_back(describe(name, tensor));
    if (options.globals.json) {
      print_json({{"dry_run", true}, {"model", options.model}, {"inputs", described}});
    } else {
      std::cout << "would run " << options.model << " on " << inputs.size()
                << (inputs.size() == 1 ? " input\n" : " inputs\n");
    }
    return 0;
  }
  const NamedTensors outputs = session.run(inputs);
  if (!options.output.empty()) write_npz(options.output, outputs, options.globals.force);
  for (const auto& [name, tensor] : outputs) described.push_back(describe(name, tensor));
  if (options.globals.json) {
    print_json({{"model", options.model},
                {"outputs", described},
                {"written", options.output.empty() ? nlohmann::json() : nlohmann::json(options.output)}});
  } else {
    print_outputs(described);
    if (!options.output.empty()) std::cout << "wrote " << options.output << "\n";
  }
  return 0;
}

}  // namespace

void add_run(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("run", "run a model on arrays");
  add_model(*command, options->model);
  CLI::Option* single = command->add_option("--input", options->inputs, "array of an input, repeatable")
                            ->expected(1)
                            ->take_all()
                            ->type_name("NAME=x.npy");
  command->add_option("--inputs", options->archive, "all inputs by name")->excludes(single)->type_name("ALL.npz");
  command->add_option("-o,--output", options->output, "outputs by name; without it only their ranges are printed")
      ->type_name("Y.npz");
  command->add_flag("--float-qdq", options->float_qdq,
                    "run quantized nodes as written, in float, to check the integer kernels");
  add_precision(*command, options->precision);
  add_exact(*command, options->exact);
  add_globals(*command, options->globals);
  command->callback([options, &invocation] { invocation.action = [options] { return run(*options); }; });
}

}  // namespace pare::cli
