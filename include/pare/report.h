// Run records and comparisons as pages and pictures for people.
#pragma once

#include <string>

namespace pare {

/// One self-contained HTML page from the content of a run.json. Throws Error(kBadInput) when it is not one.
std::string render_report(const std::string& run_json);
/// DIR/run.json → DIR/report.html (replaced when `force`); returns the path written. Error(kBadInput/kUsage/kIo).
std::string write_report(const std::string& directory, bool force = false);

/// One self-contained SVG from what `pare compare --json` prints. Throws Error(kBadInput) when it is not that.
std::string render_comparison(const std::string& comparison_json);
/// Writes it, whole or not at all. Throws Error(kUsage) when `path` exists and `force` is false, Error(kIo).
void write_comparison(const std::string& path, const std::string& comparison_json, bool force = false);

}  // namespace pare
