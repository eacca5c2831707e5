// Manual pages in the man macros (man(7)).
#include "cli/docs/pages.h"
#include "pare/version.h"

namespace pare::cli::docs {
namespace {

/// Text with what troff would take for itself escaped.
std::string plain(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if ((c == '.' || c == '\'') && out.empty())
      out += std::string("\\&") + c;
    else
      out += c;
  }
  return out;
}
std::string bold(const std::string& text) { return "\\fB" + plain(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + plain(text) + "\\fR"; }

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string header(const std::string& page, const std::string& summary) {
  return ".TH " + upper(page) + " 1 \"\" \"pare " + version() + "\" \"User Commands\"\n.SH NAME\n" + plain(page) +
         " \\- " + plain(summary) + "\n";
}

std::string entry(const Option& option) {
  std::string tag;
  for (const std::string& name : option.names)
    tag += (tag.empty() ? "" : ", ") + (option.positional ? italic(name) : bold(name));
  if (!option.negation.empty()) tag += ", " + bold(option.negation);
  if (!option.value.empty()) tag += " " + italic(option.value);
  return ".TP\n" + tag + "\n" + plain(option.help) + (option.required ? " (required)" : "") + "\n";
}

constexpr const char* kExit =
    ".SH EXIT STATUS\n0 ok, 1 internal error, 2 usage, 3 bad input, 4 unsupported, 5 I/O, 6 memory, 7 training "
    "diverged, 8 "
    "quality gate or budget not met, 130 and 143 interrupted.\n";

std::string page_of(const Command& command) {
  std::string page = header("pare-" + command.name, command.summary) + ".SH SYNOPSIS\n" + bold("pare " + command.name);
  for (const Option& option : command.options)
    if (option.positional) page += " " + italic(option.names[0]);
  page += " [" + italic("options") + "]\n.SH OPTIONS\n";
  for (const Option& option : command.options)
    if (!option.everywhere) page += entry(option);
  page += ".SH OPTIONS OF EVERY COMMAND\n";
  for (const Option& option : command.options)
    if (option.everywhere) page += entry(option);
  return page + kExit + ".SH SEE ALSO\n.BR pare (1)\n";
}

}  // namespace

Files man_pages(const std::vector<Command>& commands) {
  Files files;
  std::string index = header("pare", "makes neural networks smaller and measurably faster") + ".SH SYNOPSIS\n" +
                      bold("pare") + " " + italic("command") + " [" + italic("options") + "]\n.SH COMMANDS\n";
  for (const Command& command : commands) {
    files["pare-" + command.name + ".1"] = page_of(command);
    index += ".TP\n.BR pare\\-" + plain(command.name) + " (1)\n" + plain(command.summary) + "\n";
  }
  files["pare.1"] = index + kExit;
  return files;
}

}  // namespace pare::cli::docs
