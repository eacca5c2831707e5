// pare convert IN OUT
#include "pare/convert.h"

#include <filesystem>
#include <iostream>
#include <memory>

#include "command.h"
#include "pare/error.h"
#include "pare/text.h"
#include "table.h"

namespace pare::cli {
namespace {

struct Options {
  Globals globals;
  std::string in, out;
  std::vector<std::string> shapes;
  ConvertOptions how;
  bool convert_io = false, weights_only = false, compute = false, packed = false;
};

bool is_pare(const std::string& path) { return std::filesystem::path(path).extension() == ".pare"; }

constexpr std::size_t kNameWidth = 60;

nlohmann::json to_json(const Options& options, const Conversion& result, std::int64_t before, std::int64_t after) {
  nlohmann::json kept = nlohmann::json::array();
  for (const KeptNodeInfo& node : result.kept)
    kept.push_back({{"node", node.node}, {"op_type", node.op_type}, {"reason", node.reason}});
  return {{"model", options.in},
          {"written", options.globals.dry_run ? nlohmann::json() : nlohmann::json(options.out)},
          {"dry_run", options.globals.dry_run},
          {"precision", options.how.precision.empty() ? nlohmann::json() : nlohmann::json(options.how.precision)},
          {"opset_before", result.opset_before},
          {"opset", result.opset},
          {"bytes_before", before},
          {"bytes", options.globals.dry_run && is_pare(options.out) ? nlohmann::json() : nlohmann::json(after)},
          {"packed", options.packed},
          {"converted_nodes", result.converted_nodes},
          {"converted_weights", result.converted_weights},
          {"casts", result.casts},
          {"kept", kept},
          {"too_large", result.too_large}};
}

void print_result(const Options& options, const Conversion& result, std::int64_t before, std::int64_t after) {
  if (result.opset != result.opset_before)
    std::cout << "opset      " << result.opset_before << " to " << result.opset << "\n";
  if (!options.how.precision.empty()) {
    std::cout << "precision  " << options.how.precision << ": "
              << (result.converted_nodes > 0 ? std::to_string(result.converted_nodes) + " nodes, " : "only weights, ")
              << format_count(result.converted_weights) << " weights, " << result.casts << " casts\n";
    for (const std::string& tensor : result.too_large)
      std::cout << "  " << tensor << " holds numbers beyond the range of float16 and stays float32\n";
  }
  if (!options.globals.dry_run || !is_pare(options.out))  // the size of a coded file is known once it is written
    std::cout << "size       " << format_bytes(before) << " to " << format_bytes(after) << "\n";
  if (!result.kept.empty()) {
    std::cout << "stay float32\n";
    Table table({{"node"}, {"operator"}, {"because"}});
    for (const KeptNodeInfo& node : result.kept)
      table.add({shortened(node.node, kNameWidth), node.op_type, node.reason});
    table.print(2);
  }
  std::cout << (options.globals.dry_run ? "would write " : "wrote ") << options.out << "\n";
}

void check(const Options& options) {
  const std::string kind = std::filesystem::path(options.out).extension();
  if (kind != ".onnx" && kind != ".pare")
    throw Error(ErrorCode::kUsage, options.out, "unknown kind of model file", "a name that ends in .onnx or .pare");
  if (options.how.precision.empty() && options.how.opset == 0 && !is_pare(options.in) && !is_pare(options.out))
    throw Error(ErrorCode::kUsage, "convert", "nothing to convert",
                "--precision f16|bf16, --opset N, or a name that ends in .pare");
  if (options.packed && !is_pare(options.out))
    throw Error(ErrorCode::kUsage, options.out, "only .pare files are packed", "a name that ends in .pare");
  if (std::filesystem::exists(options.out) && !options.globals.force)
    throw Error(ErrorCode::kUsage, options.out, "exists", "--force to replace it");
}

void write(const Options& options, const Model& model) {
  if (options.packed)
    model.save_packed(options.out, parse_shapes(options.shapes), options.globals.force);
  else
    model.save(options.out, options.globals.force);
}

int run(const Options& options) {
  check(options);
  const Model model = load_model(options.in, options.globals);
  ConvertOptions how = options.how;
  how.keep_io = !options.convert_io;
  if (options.weights_only || options.compute) how.weights_only = options.weights_only;
  const Conversion result = convert(model, how);
  const std::int64_t before = model.bytes();
  if (!options.globals.dry_run) write(options, result.model);
  const bool coded = is_pare(options.out) && !options.globals.dry_run;
  const std::int64_t after =
      coded ? static_cast<std::int64_t>(std::filesystem::file_size(options.out)) : result.model.bytes();
  if (options.globals.json) {
    print_json(to_json(options, result, before, after));
  } else {
    print_result(options, result, before, after);
  }
  return 0;
}

}  // namespace

void add_convert(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("convert", "the same model in another file format, precision or operator set");
  command->add_option("IN", options->in, "the model, an ONNX or .pare file")->required()->type_name("");
  command->add_option("OUT", options->out, "where the converted model goes, by its name an ONNX or a .pare file")
      ->required()
      ->type_name("");
  CLI::Option* precision =
      command->add_option("--precision", options->how.precision, "weights and arithmetic: f16 or bf16")
          ->check(CLI::IsMember({"f16", "bf16"}))
          ->type_name("TYPE");
  command->add_option("--opset", options->how.opset, "operator set to raise the model to, up to 28")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  command->add_flag(
      "--packed", options->packed,
      "a .pare file that loads fast: tensors, and weights as this machine's kernels read them, are mapped");
  add_shapes(*command, options->shapes);
  command->add_flag("--convert-io", options->convert_io, "inputs and outputs too (default: they stay float32)")
      ->needs(precision);
  CLI::Option* weights = command
                             ->add_flag("--weights-only", options->weights_only,
                                        "store weights in the precision, compute in float32 (default for bf16)")
                             ->needs(precision);
  command->add_flag("--compute", options->compute, "compute in the precision too (default for f16)")
      ->needs(precision)
      ->excludes(weights);
  command->add_option("--keep", options->how.keep, "nodes or operators (globs) that stay float32, with commas")
      ->needs(precision)
      ->delimiter(',')
      ->type_name("NAME,…");
  add_globals(*command, options->globals);
  command->callback([options, &invocation] { invocation.action = [options] { return run(*options); }; });
}

}  // namespace pare::cli
