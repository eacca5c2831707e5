// run.json → one self-contained HTML page with inline SVG. Reads nothing else.
#pragma once

#include <string>
#include <string_view>

namespace pare::report {

/// `run_json`: the content of run.json (schema: docs/json.md). Throws Error(kBadInput) when it is not such a record.
std::string render_html(std::string_view run_json);

}  // namespace pare::report
