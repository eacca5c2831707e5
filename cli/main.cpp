// pare: parses the command line, runs one subcommand, and turns errors into one line and an exit code.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>

#include "command.h"
#include "help.h"
#include "pare/error.h"
#include "pare/text.h"
#include "pare/version.h"
#include "progress.h"
#include "signals.h"

namespace pare::cli {
namespace {

constexpr AddCommand kCommands[] = {add_inspect, add_check, add_compress, add_shorthands, add_eval,   add_compare,
                                    add_convert, add_bench, add_run,      add_report,     add_doctor, add_docs};

std::string shell_quoted(const std::string& word) {
  const char* plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string quoted = "'";
  for (char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string command_line(int argc, char** argv) {
  std::string line = "pare";
  for (int i = 1; i < argc; ++i) line += " " + shell_quoted(argv[i]);
  return line;
}

int fail(ErrorCode code, std::string message) {
  clear_progress();
  for (char& c : message) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  std::cerr << "pare: error: " << message << std::endl;
  return static_cast<int>(code);
}

/// The subcommand that the parsing reached, or the app.
CLI::App* reached(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands()) return command;
  return &app;
}

std::vector<std::string> flags_of(CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_fnames()) flags.push_back(name);
  }
  return flags;
}

/// "unknown flag --epoch (did you mean '--epochs'?)" for what CLI11 calls an argument that was not expected.
std::string explain(CLI::App& app, const CLI::ParseError& error) {
  if (!dynamic_cast<const CLI::ExtrasError*>(&error)) return error.what();
  CLI::App* command = reached(app);
  const std::vector<std::string> rest = command == &app ? app.remaining() : command->remaining();
  auto found = std::find_if(rest.begin(), rest.end(), [](const std::string& word) { return word.starts_with("-"); });
  if (found == rest.end()) found = rest.begin();
  const std::string word = found == rest.end() ? std::string() : found->substr(0, found->find('='));
  if (word.starts_with("-")) return "unknown flag " + word + did_you_mean(word, flags_of(*command));
  return "unexpected argument '" + word + "'";
}

int usage_error(CLI::App& app, const CLI::ParseError& error) {
  CLI::App* command = reached(app);
  const std::string where = command == &app ? "" : command->get_name() + ": ";
  return fail(ErrorCode::kUsage, where + explain(app, error) + "; see pare " +
                                     (command == &app ? "" : command->get_name() + " ") + "--help");
}

/// An unknown word in the place of the subcommand is told from every other mistake before CLI11 sees it.
bool is_unknown_command(CLI::App& app, int argc, char** argv, std::string& message) {
  if (argc < 2 || argv[1][0] == '-') return false;
  std::vector<std::string> names;
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) names.push_back(command->get_name());
  for (const std::string& name : names) {
    if (name == argv[1]) return false;
  }
  message = std::string("unknown command '") + argv[1] + "'" + did_you_mean(argv[1], names) + "; see pare --help";
  return true;
}

int run(int argc, char** argv) {
  CLI::App app("Makes neural networks smaller and measurably faster: ONNX in, ONNX and a report out.", "pare");
  app.set_version_flag("--version",
                       std::string("pare ") + version() + (*commit() ? std::string(" (") + commit() + ")" : ""));
  app.require_subcommand(1);
  app.formatter(std::make_shared<HelpFormatter>());  // before the subcommands, which inherit it
  app.get_formatter()->column_width(34);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  Invocation invocation{command_line(argc, argv), {}};
  for (AddCommand add : kCommands) add(app, invocation);
  std::string unknown;
  if (is_unknown_command(app, argc, argv, unknown)) return fail(ErrorCode::kUsage, unknown);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return usage_error(app, error);
    app.exit(error);  // --help and --version
    std::cout.flush();
    return std::cout ? 0 : fail(ErrorCode::kIo, "standard output: cannot be written");
  }
  const int code = invocation.action();
  clear_progress();
  std::cout.flush();
  return std::cout ? code : fail(ErrorCode::kIo, "standard output: cannot be written");
}

/// libgomp spins at every barrier, by default for so long that a layer costs a scheduler's quantum (8 ms) as soon as
/// another process wants the core. It reads its settings when it is loaded, so the program starts over once with a
/// shorter spin, which still covers the gap between two layers.
void spin_briefly(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  setenv("GOMP_SPINCOUNT", "5000", 1);
  execv("/proc/self/exe", argv);  // where that fails, everything works all the same
}

}  // namespace
}  // namespace pare::cli

int main(int argc, char** argv) {
  using namespace pare;
  cli::spin_briefly(argv);
  cli::ignore_file_size_signal();
  try {
    return cli::run(argc, argv);
  } catch (const Error& error) {
    return cli::fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return cli::fail(ErrorCode::kMemory, "memory: an allocation failed");
  } catch (const std::filesystem::filesystem_error& error) {
    return cli::fail(ErrorCode::kIo, error.path1().string() + ": " + error.code().message());
  } catch (const std::exception& error) {
    return cli::fail(ErrorCode::kInternal, std::string("internal: ") + error.what());
  }
}
