#include "pare/report.h"

#include "base/file.h"
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

}  // namespace pare
