// What the command line declares, as data; and the forms in which it is written down. `pare docs` puts them into files.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

namespace pare::cli::docs {

struct Option {
  std::vector<std::string> names;  ///< "-o", "--output"; of a positional its name
  std::string negation;            ///< "--no-distill"; "" where there is none
  std::string value;               ///< what follows it, "" for a switch
  std::string help;
  std::vector<std::string> choices;
  bool required = false, positional = false, everywhere = false;
};

struct Command {
  std::string name, summary;
  std::vector<Option> options;  ///< positionals first
};

/// The subcommands of the app, in its order, without hidden ones.
std::vector<Command> commands(CLI::App& app);

/// Files by their path within a folder.
using Files = std::map<std::string, std::string>;

/// commands/NAME.md and methods/STEP-NAME.md, each with a README.md that lists them.
Files markdown(const std::vector<Command>& commands);
/// pare.1 and pare-NAME.1.
Files man_pages(const std::vector<Command>& commands);
/// pare.bash, _pare (zsh), pare.fish.
Files completions(const std::vector<Command>& commands);

}  // namespace pare::cli::docs
