// The one exception type of Pare. Every error that ends a request is a pare::Error; expected outcomes
// (a kernel that does not fit, a pattern that is absent) are returned values with a reason instead.
#pragma once

#include <stdexcept>
#include <string>

namespace pare {

/// What went wrong; the numeric value is the exit code of the command line (docs/exit-codes.md).
enum class ErrorCode {
  kInternal = 1,       ///< a bug in Pare
  kUsage = 2,          ///< the request itself is malformed
  kBadInput = 3,       ///< a model, data set or recipe is invalid
  kUnsupported = 4,    ///< valid, but Pare (or an absent plug-in) cannot do it
  kIo = 5,             ///< the file system refused
  kMemory = 6,         ///< does not fit in memory or in --max-memory
  kDiverged = 7,       ///< training produced non-finite values
  kGateNotMet = 8,     ///< outputs were written but a gate or budget was missed
  kInterrupted = 130,  ///< SIGINT
  kTerminated = 143,   ///< SIGTERM
};

/// An error with its subject (the file, node, tensor, key …) named first.
/// what() is one line: "subject: problem (expected X, got Y)".
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, std::string subject, std::string problem, std::string expected = {}, std::string got = {});

  ErrorCode code() const noexcept { return code_; }
  const std::string& subject() const noexcept { return subject_; }
  const std::string& expected() const noexcept { return expected_; }
  const std::string& got() const noexcept { return got_; }

 private:
  ErrorCode code_;
  std::string subject_, expected_, got_;
};

}  // namespace pare
