// pare inspect MODEL
#include "pare/inspect.h"

#include <iostream>
#include <memory>

#include "command.h"
#include "figures.h"
#include "pare/text.h"
#include "table.h"

namespace pare::cli {
namespace {

struct Options {
  Globals globals;
  std::string model;
  std::vector<std::string> shapes;
  std::int64_t batch = 1;
  bool plan = false, groups = false, no_tune = false;
  DType precision = DType::kFloat32;
  bool exact = false;
};

constexpr std::size_t kNameWidth = 40;

nlohmann::json layer_json(const LayerInfo& layer) {
  return {{"node", layer.node},
          {"op_type", layer.op_type},
          {"weight", layer.weight},
          {"dims", layer.weight_dims},
          {"output_dims", layer.output_dims},
          {"parameters", layer.parameters},
          {"macs", layer.macs},
          {"bytes", layer.bytes},
          {"bits", layer.bits},
          {"sparsity", layer.sparsity},
          {"pattern", layer.pattern.empty() ? nlohmann::json() : nlohmann::json(layer.pattern)}};
}

nlohmann::json step_json(const PlanStepInfo& step) {
  return {{"kernel", step.kernel}, {"op_type", step.op_type},          {"nodes", step.nodes},
          {"output", step.output}, {"output_dims", step.output_dims},  {"reason", step.reason},
          {"macs", step.macs},     {"weight_bytes", step.weight_bytes}};
}

nlohmann::json group_json(const ChannelGroupInfo& group) {
  return {{"group", group.name},
          {"layers", group.layers},
          {"channels", group.channels},
          {"unit", group.unit},
          {"blocked", group.blocked.empty() ? nlohmann::json() : nlohmann::json(group.blocked)}};
}

nlohmann::json to_json(const Inspection& result, bool plan, bool groups) {
  nlohmann::json object = {{"model", result.path},
                           {"name", result.graph_name},
                           {"producer", result.producer},
                           {"ir_version", result.ir_version},
                           {"opset", result.opset},
                           {"inputs", to_json_list(result.inputs)},
                           {"outputs", to_json_list(result.outputs)},
                           {"operators", result.operators},
                           {"bytes", result.bytes},
                           {"parameters", result.parameters},
                           {"nonzero_parameters", result.nonzero_parameters},
                           {"macs", or_null(result.macs)},
                           {"shapes", cli::to_json(result.shapes)},
                           {"layers", nlohmann::json::array()},
                           {"provenance", nlohmann::json::parse(result.provenance, nullptr, false)}};
  if (object["provenance"].is_discarded()) object["provenance"] = nullptr;
  for (const LayerInfo& layer : result.layers) object["layers"].push_back(layer_json(layer));
  if (groups) {
    object["groups"] = nlohmann::json::array();
    for (const ChannelGroupInfo& group : result.groups) object["groups"].push_back(group_json(group));
  }
  if (!plan) return object;
  object["plan"] = {{"steps", nlohmann::json::array()},
                    {"weight_bytes", result.plan_weight_bytes},
                    {"arena_bytes", result.plan_arena_bytes}};
  for (const PlanStepInfo& step : result.plan) object["plan"]["steps"].push_back(step_json(step));
  return object;
}

std::string port_text(const PortInfo& port) {
  return port.name + "  " + std::string(name(port.dtype)) + " " +
         (port.ranked ? shape_text(port.dims) : "of unknown rank");
}

void print_summary(const Inspection& result) {
  std::cout << result.path << "\n";
  std::cout << "  format      ONNX IR " << result.ir_version << ", opset " << result.opset
            << (result.producer.empty() ? "" : ", by " + result.producer) << "\n";
  for (const PortInfo& port : result.inputs) std::cout << "  input       " << port_text(port) << "\n";
  for (const PortInfo& port : result.outputs) std::cout << "  output      " << port_text(port) << "\n";
  std::cout << "  file        " << format_bytes(result.bytes) << "\n";
  const double zeros = result.parameters == 0 ? 0
                                              : 1 - static_cast<double>(result.nonzero_parameters) /
                                                        static_cast<double>(result.parameters);
  std::cout << "  parameters  " << format_count(result.parameters) << ", " << percent(100 * zeros, 1) << " zeros\n";
  if (result.macs) {
    std::vector<std::string> shapes;
    for (const auto& [name, dims] : result.shapes) shapes.push_back(name + " " + shape_text(dims));
    std::cout << "  MACs        " << format_count(*result.macs) << " for " << joined(shapes, ", ") << "\n";
  } else {
    std::cout << "  MACs        unknown: " << result.macs_note << "\n";
  }
  std::vector<std::string> operators;
  for (const auto& [type, count] : result.operators) operators.push_back(std::to_string(count) + " " + type);
  std::cout << "  operators   " << joined(operators, ", ") << "\n";
}

void print_layers(const Inspection& result) {
  Table table({{"layer"},
               {"operator"},
               {"weight"},
               {"output"},
               {"parameters", kRight},
               {"MACs", kRight},
               {"bytes", kRight},
               {"bits", kRight},
               {"zeros", kRight},
               {"pattern"}});
  for (const LayerInfo& layer : result.layers) {
    table.add({shortened(layer.node, kNameWidth), layer.op_type, shape_text(layer.weight_dims),
               shape_text(layer.output_dims), format_count(layer.parameters),
               result.macs ? format_count(layer.macs) : "?", format_bytes(layer.bytes), std::to_string(layer.bits),
               percent(100 * layer.sparsity, 1), layer.pattern});
  }
  if (table.empty()) return;
  std::cout << "\n";
  table.print();
}

void print_groups(const Inspection& result) {
  std::cout << "\nchannel groups: " << result.groups.size() << "\n";
  Table table({{"group"}, {"channels", kRight}, {"at once", kRight}, {"layers"}, {"can be pruned"}});
  for (const ChannelGroupInfo& group : result.groups) {
    table.add({shortened(group.name, kNameWidth), format_count(group.channels), std::to_string(group.unit),
               std::to_string(group.layers.size()), group.blocked.empty() ? "yes" : "no: " + group.blocked});
  }
  table.print();
}

void print_plan(const Inspection& result) {
  std::cout << "\nplan: " << result.plan.size() << " steps, " << format_bytes(result.plan_weight_bytes) << " weights, "
            << format_bytes(result.plan_arena_bytes) << " arena\n";
  Table table(
      {{"#", kRight}, {"kernel"}, {"node"}, {"with"}, {"output"}, {"MACs", kRight}, {"weights", kRight}, {"because"}});
  int number = 0;
  for (const PlanStepInfo& step : result.plan) {
    const std::string main = step.nodes.empty() ? step.output : step.nodes[0];
    const std::string others = step.nodes.size() > 1 ? "+" + std::to_string(step.nodes.size() - 1) : "";
    table.add({std::to_string(++number), step.kernel, shortened(main, kNameWidth), others, shape_text(step.output_dims),
               step.macs > 0 ? format_count(step.macs) : "",
               step.weight_bytes > 0 ? format_bytes(step.weight_bytes) : "", step.reason});
  }
  table.print();
}

int run(const Options& options) {
  InspectOptions how;
  how.execution = options.globals.execution();
  how.batch = options.batch;
  how.shapes = parse_shapes(options.shapes);
  how.plan = options.plan;
  how.tune = !options.no_tune;
  how.groups = options.groups;
  how.precision = options.precision;
  how.exact = options.exact;
  const Inspection result = inspect(load_model(options.model, options.globals), how);
  if (options.globals.json) {
    print_json(to_json(result, options.plan, options.groups));
    return 0;
  }
  print_summary(result);
  print_layers(result);
  if (options.groups) print_groups(result);
  if (options.plan) print_plan(result);
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("inspect", "layers, shapes, parameters, MACs, bytes, sparsity");
  add_model(*command, options->model);
  add_shapes(*command, options->shapes);
  command->add_option("--batch", options->batch, "batch for MACs and plan (default 1)")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command->add_flag("--plan", options->plan, "the compiled plan, kernel by kernel, with reasons");
  command->add_flag("--no-tune", options->no_tune,
                    "of the plan: choose kernels by estimates, not by timing them the first time that a shape is seen");
  command->add_flag("--groups", options->groups, "channels that pruning can only remove together, and why some stay");
  add_precision(*command, options->precision);
  add_exact(*command, options->exact);
  add_globals(*command, options->globals);
  command->callback([options, &invocation] { invocation.action = [options] { return run(*options); }; });
}

}  // namespace pare::cli
