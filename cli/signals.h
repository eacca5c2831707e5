// SIGINT and SIGTERM ask the job to stop at its next safe point; a second signal kills.
#pragma once

#include <atomic>

namespace pare::cli {

/// Installs the handlers; the result holds 0, or 130 / 143 once a signal came.
const std::atomic<int>* catch_signals();
/// A file-size limit then makes write() fail with a reason, instead of killing the process.
void ignore_file_size_signal();

}  // namespace pare::cli
