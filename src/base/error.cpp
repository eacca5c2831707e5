#include "pare/error.h"

#include <algorithm>
#include <utility>

namespace pare {

namespace {

std::string message(const std::string& subject, const std::string& problem, const std::string& expected,
                    const std::string& got) {
  std::string text = subject.empty() ? problem : subject + ": " + problem;
  if (!expected.empty() && !got.empty()) {
    text += " (expected " + expected + ", got " + got + ")";
  } else if (!expected.empty()) {
    text += " (expected " + expected + ")";
  } else if (!got.empty()) {
    text += " (got " + got + ")";
  }
  // One line whatever a file name or a library's message holds: logs and exit messages are read line by line.
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

}  // namespace

Error::Error(ErrorCode code, std::string subject, std::string problem, std::string expected, std::string got)
    : std::runtime_error(message(subject, problem, expected, got)),
      code_(code),
      subject_(std::move(subject)),
      expected_(std::move(expected)),
      got_(std::move(got)) {}

}  // namespace pare
