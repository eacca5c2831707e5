#include "pare/report.h"

#include "base/file.h"
#include "report/comparison.h"
#include "report/report.h"

namespace pare {

std::string render_report(const std::string& run_json) { return report::render_html(run_json); }

std::string write_report(const std::string& directory, bool force) {
  const fs::path folder(directory);
  const fs::path page = folder / "report.html";
  const std::string record = read_file(folder / "run.json");
  refuse_to_overwrite(page, force);
  write_file_atomically(page, report::render_html(record));
  return page.string();
}

std::string render_comparison(const std::string& comparison_json) { return report::render_comparison(comparison_json); }

void write_comparison(const std::string& path, const std::string& comparison_json, bool force) {
  refuse_to_overwrite(path, force);
  write_file_atomically(path, report::render_comparison(comparison_json));
}

}  // namespace pare
