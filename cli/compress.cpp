// pare compress MODEL --recipe R.yaml --data D.yaml -o DIR
#include <memory>

#include "job.h"

namespace pare::cli {
namespace {

struct Options {
  Globals globals;
  std::string model, recipe, data;
  Outputs outputs;
};

int run(const Options& options, const std::string& command) {
  const Recipe recipe = Recipe::load(options.recipe);
  const Model model = load_model(options.model, options.globals);
  const Dataset data = Dataset::open(options.data, model);
  return run_job(model, data, recipe, options.outputs, options.globals, command);
}

}  // namespace

void add_compress(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("compress", "run a recipe; writes model, record and report");
  add_model(*command, options->model);
  command->add_option("--recipe", options->recipe, "what to do (docs/recipes.md)")->required()->type_name("R.yaml");
  command->add_option("--data", options->data, "data description (docs/data.md)")->required()->type_name("D.yaml");
  command
      ->add_option("-o,--output", options->outputs.directory,
                   "folder for model.onnx, run.json, report.html, recipe.yaml, checkpoints/")
      ->required()
      ->type_name("DIR");
  add_globals(*command, options->globals);
  command->callback([options, &invocation] {
    invocation.action = [options, line = invocation.command] { return run(*options, line); };
  });
}

}  // namespace pare::cli
