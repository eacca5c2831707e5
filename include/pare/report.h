// Run records as pages for people.
#pragma once

#include <string>

namespace pare {

/// One self-contained HTML page from the content of a run.json. Throws Error(kBadInput) when it is not one.
std::string render_report(const std::string& run_json);
/// DIR/run.json → DIR/report.html (replaced when `force`); returns the path written. Error(kBadInput/kUsage/kIo).
std::string write_report(const std::string& directory, bool force = false);

}  // namespace pare
