#include "pare/error.h"

#include <gtest/gtest.h>

#include "pare/control.h"

namespace pare {
namespace {

TEST(Error, NamesSubjectProblemExpectedAndGot) {
  const Error error(ErrorCode::kBadInput, "a.onnx", "wrong rank", "4", "2");
  EXPECT_STREQ(error.what(), "a.onnx: wrong rank (expected 4, got 2)");
  EXPECT_EQ(error.code(), ErrorCode::kBadInput);
  EXPECT_EQ(error.subject(), "a.onnx");
  EXPECT_EQ(error.expected(), "4");
  EXPECT_EQ(error.got(), "2");
}

TEST(Error, LeavesOutWhatIsAbsent) {
  EXPECT_STREQ(Error(ErrorCode::kIo, "x", "lost").what(), "x: lost");
  EXPECT_STREQ(Error(ErrorCode::kIo, "x", "lost", "y").what(), "x: lost (expected y)");
  EXPECT_STREQ(Error(ErrorCode::kIo, "", "lost", "", "z").what(), "lost (got z)");
}

TEST(Error, StaysOnOneLine) { EXPECT_STREQ(Error(ErrorCode::kIo, "a\nb", "c\r\nd").what(), "a b: c  d"); }

TEST(Control, ThrowsTheCodeOfTheSignal) {
  std::atomic<int> cancel = 0;
  Control control;
  control.check_cancelled();
  control.cancel = &cancel;
  control.check_cancelled();
  for (const ErrorCode code : {ErrorCode::kInterrupted, ErrorCode::kTerminated}) {
    cancel = static_cast<int>(code);
    try {
      control.check_cancelled();
      FAIL() << "not cancelled";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
    }
  }
}

}  // namespace
}  // namespace pare
