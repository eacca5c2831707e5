// pare docs: pages, manual and completions from the declarations of the command line and of the methods.
#include <filesystem>
#include <fstream>
#include <memory>

#include "cli/docs/pages.h"
#include "command.h"
#include "pare/error.h"

namespace pare::cli {
namespace {

struct Options {
  std::string markdown, man, completions;
};

void write(const std::string& folder, const docs::Files& files) {
  for (const auto& [name, text] : files) {
    const std::filesystem::path path = std::filesystem::path(folder) / name;
    std::error_code failure;
    std::filesystem::create_directories(path.parent_path(), failure);
    std::ofstream out(path, std::ios::binary);
    out << text;
    out.close();
    if (!out) throw Error(ErrorCode::kIo, path.string(), "cannot be written");
  }
}

int run(const Options& options, CLI::App& app) {
  if (options.markdown.empty() && options.man.empty() && options.completions.empty())
    throw Error(ErrorCode::kUsage, "docs", "nothing to write: give --markdown, --man or --completions");
  const std::vector<docs::Command> commands = docs::commands(app);
  if (!options.markdown.empty()) write(options.markdown, docs::markdown(commands));
  if (!options.man.empty()) write(options.man, docs::man_pages(commands));
  if (!options.completions.empty()) write(options.completions, docs::completions(commands));
  return 0;
}

}  // namespace

void add_docs(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("docs", "write the pages of commands and methods, the manual, completions");
  command->group("");  // for those who build Pare
  command->add_option("--markdown", options->markdown, "pages of commands and methods")->type_name("DIR");
  command->add_option("--man", options->man, "manual pages")->type_name("DIR");
  command->add_option("--completions", options->completions, "of bash, zsh and fish")->type_name("DIR");
  command->callback(
      [options, &app, &invocation] { invocation.action = [options, &app] { return run(*options, app); }; });
}

}  // namespace pare::cli
