// What a refused file must say.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "onnx/onnx_file.h"
#include "pare/error.h"

namespace pare::test {

/// The action throws this code, in one line that holds every one of the words.
template <class Action>
void expect_error(ErrorCode code, const std::vector<std::string>& words, Action action) {
  try {
    action();
    ADD_FAILURE() << "nothing was thrown; expected an error about " << words.front();
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_EQ(error.code(), code) << what;
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    for (const std::string& word : words)
      EXPECT_NE(what.find(word), std::string::npos) << "'" << word << "' in: " << what;
  }
}

inline void expect_refused(const std::string& bytes, const std::vector<std::string>& words,
                           ErrorCode code = ErrorCode::kBadInput) {
  std::vector<std::string> all = words;
  all.push_back("m.onnx");  // the path is always named
  expect_error(code, all, [&] { onnx::parse_model(bytes, "m.onnx", "."); });
}

/// A folder of this test alone, gone with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "pare-onnx-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  std::filesystem::path write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace pare::test
