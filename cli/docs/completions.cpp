// Completion for bash, zsh and fish. A value with known words completes to them, any other to file names.
#include <algorithm>

#include "cli/docs/pages.h"
#include "table.h"

namespace pare::cli::docs {
namespace {

/// In single quotes of a shell.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::vector<std::string> flags_of(const Command& command) {
  std::vector<std::string> flags;
  for (const Option& option : command.options) {
    if (option.positional) continue;
    flags.insert(flags.end(), option.names.begin(), option.names.end());
    if (!option.negation.empty()) flags.push_back(option.negation);
  }
  return flags;
}

std::string names_of(const std::vector<Command>& commands) {
  std::vector<std::string> names;
  for (const Command& command : commands) names.push_back(command.name);
  return joined(names, " ");
}

std::string bash(const std::vector<Command>& commands) {
  std::string out =
      "# bash completion for pare\n_pare() {\n  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W \"" +
      names_of(commands) + "\" -- \"$cur\"))\n    return\n  fi\n  local flags=\n  case ${COMP_WORDS[1]} in\n";
  for (const Command& command : commands) {
    out += "    " + command.name + ")\n      flags=" + quoted(joined(flags_of(command), " ")) + "\n";
    std::string values;
    for (const Option& option : command.options)
      if (!option.choices.empty())
        values += "        " + joined(option.names, "|") + ") COMPREPLY=($(compgen -W " +
                  quoted(joined(option.choices, " ")) + " -- \"$cur\")); return ;;\n";
    if (!values.empty()) out += "      case $prev in\n" + values + "      esac\n";
    out += "      ;;\n";
  }
  return out +
         "  esac\n  case $cur in\n    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\")) ;;\n"
         "    *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n  esac\n}\ncomplete -o filenames -F _pare pare\n";
}

/// A description inside an _arguments specification.
std::string zsh_text(std::string text) {
  std::string out;
  for (char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh(const std::vector<Command>& commands) {
  std::string out = "#compdef pare\n_pare() {\n  local -a commands\n  commands=(\n";
  for (const Command& command : commands) out += "    " + quoted(command.name + ":" + zsh_text(command.summary)) + "\n";
  out +=
      "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n"
      "  local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n  case $command in\n";
  for (const Command& command : commands) {
    out += "    " + command.name + ")\n      _arguments";
    for (const Option& option : command.options) {
      if (option.positional) {
        out += " \\\n        " + quoted("*:" + option.names[0] + ":_files");
        continue;
      }
      const std::string action =
          option.value.empty() ? ""
                               : ":" + zsh_text(option.value) + ":" +
                                     (option.choices.empty() ? "_files" : "(" + joined(option.choices, " ") + ")");
      for (const std::string& name : option.names)
        out += " \\\n        " + quoted(name + "[" + zsh_text(option.help) + "]" + action);
      if (!option.negation.empty()) out += " \\\n        " + quoted(option.negation);
    }
    out += "\n      ;;\n";
  }
  return out + "  esac\n}\n_pare \"$@\"\n";
}

std::string fish(const std::vector<Command>& commands) {
  std::string out = "# fish completion for pare\n";
  for (const Command& command : commands)
    out += "complete -c pare -f -n __fish_use_subcommand -a " + command.name + " -d " + quoted(command.summary) + "\n";
  for (const Command& command : commands) {
    const std::string when = "complete -c pare -n '__fish_seen_subcommand_from " + command.name + "'";
    for (const Option& option : command.options) {
      if (option.positional) continue;
      std::string line = when;
      for (const std::string& name : option.names)
        line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (!option.value.empty())
        line += option.choices.empty() ? " -r -F" : " -x -a " + quoted(joined(option.choices, " "));
      out += line + " -d " + quoted(option.help) + "\n";
      if (!option.negation.empty()) out += when + " -l " + option.negation.substr(2) + "\n";
    }
  }
  return out;
}

}  // namespace

Files completions(const std::vector<Command>& commands) {
  return {{"pare.bash", bash(commands)}, {"_pare", zsh(commands)}, {"pare.fish", fish(commands)}};
}

}  // namespace pare::cli::docs
