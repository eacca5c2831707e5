// pare report DIR
#include "pare/report.h"

#include <iostream>
#include <memory>

#include "command.h"

namespace pare::cli {
namespace {

struct Options {
  Globals globals;
  std::string directory;
};

int run(const Options& options) {
  std::string page;
  if (options.globals.dry_run) {
    page = options.directory + "/report.html";
  } else {
    page = write_report(options.directory, options.globals.force);
  }
  if (options.globals.json) {
    print_json({{"dry_run", options.globals.dry_run}, {"report", page}});
  } else {
    std::cout << (options.globals.dry_run ? "would write " : "") << page << "\n";
  }
  return 0;
}

}  // namespace

void add_report(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("report", "run.json of a run into report.html");
  command->add_option("DIR", options->directory, "folder of a run")->required()->type_name("");
  add_globals(*command, options->globals);
  command->callback([options, &invocation] { invocation.action = [options] { return run(*options); }; });
}

}  // namespace pare::cli
