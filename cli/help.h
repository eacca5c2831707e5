// How --help looks: one form for every option, aligned whatever letters it has.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace pare::cli {

class HelpFormatter : public CLI::Formatter {
 public:
  /// "  -o, --output OUT.onnx (required)   the model written"; "--augment / --no-augment" for switches that have both.
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
};

}  // namespace pare::cli
