// Tensor data in files beside the model.
#include <gtest/gtest.h>

#include "expect_error.h"
#include "same_model.h"
#include "wire_builder.h"

namespace pare::test {
namespace {

Message entry(const std::string& key, const std::string& value) { return Message().text(1, key).text(2, value); }

std::string model_with(const std::vector<std::pair<std::string, std::string>>& entries, std::int64_t count = 4) {
  Message w = tensor("w", 1, {count}).number(14, 1);
  for (const auto& [key, value] : entries) w.sub(13, entry(key, value));
  return model(graph({{kNode, node("Add", {"x", "w"}, {"y"}, "sum")}, {kInitializer, w}})).bytes();
}

void expect_bad(const TemporaryFolder& folder, const std::string& bytes, const std::vector<std::string>& words) {
  const auto path = folder.write("m.onnx", bytes);
  std::vector<std::string> all = {"m.onnx", "'w'"};
  all.insert(all.end(), words.begin(), words.end());
  expect_error(ErrorCode::kBadInput, all, [&] { onnx::read_model(path); });
}

TEST(ExternalData, IsReadAtItsOffset) {
  TemporaryFolder folder;
  folder.write("sub/w.bin", std::string(3, 'x') + raw<float>({1, 2, 3, 4}));  // not aligned for floats
  const auto path = folder.write("m.onnx", model_with({{"location", "sub/w.bin"}, {"offset", "3"}, {"length", "16"}}));
  const ir::Model m = onnx::read_model(path);
  const Tensor* w = m.graph.constant(m.graph.find_value("w"));
  ASSERT_NE(w, nullptr);
  EXPECT_TRUE(w->identical(Tensor::from<float>({4}, {1, 2, 3, 4})));
  EXPECT_NE(reinterpret_cast<std::uintptr_t>(w->raw()) % alignof(float), 0u) << "it is viewed, not copied";
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(w->data<float>().data()) % alignof(float), 0u);
}

TEST(ExternalData, Missing) {
  TemporaryFolder folder;
  expect_bad(folder, model_with({{"location", "w.bin"}}), {"'w.bin'", "missing"});
  expect_bad(folder, model_with({{"offset", "0"}}), {"names no file"});
  std::filesystem::create_directory(folder / "d");
  expect_bad(folder, model_with({{"location", "d"}}), {"'d'", "regular"});
}

TEST(ExternalData, TooShort) {
  TemporaryFolder folder;
  folder.write("w.bin", std::string(15, 'a'));
  expect_bad(folder, model_with({{"location", "w.bin"}}), {"'w.bin'", "too short", "16 bytes", "15"});
  expect_bad(folder, model_with({{"location", "w.bin"}, {"offset", "18446744073709551615"}}), {"too short"});
  expect_bad(folder, model_with({{"location", "w.bin"}}, std::int64_t{1} << 50), {"too short"});
}

TEST(ExternalData, MalformedKeys) {
  TemporaryFolder folder;
  folder.write("w.bin", std::string(16, 'a'));
  expect_bad(folder, model_with({{"location", "w.bin"}, {"offset", "-4"}}), {"offset", "'-4'"});
  expect_bad(folder, model_with({{"location", "w.bin"}, {"length", "16x"}}), {"length", "'16x'"});
  expect_bad(folder, model_with({{"location", "w.bin"}, {"length", "12"}}), {"length", "expected 16", "got 12"});
}

TEST(ExternalData, OutsideTheFolder) {
  TemporaryFolder outside, folder;
  const auto secret = outside.write("secret", std::string(16, 'a'));
  expect_bad(folder, model_with({{"location", secret.string()}}), {"secret", "outside"});
  expect_bad(folder, model_with({{"location", "../" + secret.parent_path().filename().string() + "/secret"}}),
             {"secret", "outside"});
  std::filesystem::create_symlink(secret, folder / "link");
  expect_bad(folder, model_with({{"location", "link"}}), {"'link'", "outside", "symbolic link"});
}

TEST(ExternalData, LinkInsideTheFolderIsFine) {
  TemporaryFolder folder;
  folder.write("real.bin", raw<float>({1, 2, 3, 4}));
  std::filesystem::create_symlink("real.bin", folder / "link");
  const auto path = folder.write("m.onnx", model_with({{"location", "link"}}));
  const ir::Model m = onnx::read_model(path);
  EXPECT_TRUE(m.graph.constant(m.graph.find_value("w"))->identical(Tensor::from<float>({4}, {1, 2, 3, 4})));
}

TEST(ExternalData, IsWrittenAboveTheThreshold) {
  TemporaryFolder folder;
  ir::Model m = onnx::read_model(std::string(PARE_SOURCE_DIR) + "/examples/models/fmnist_mlp.onnx");
  onnx::write_model(m, folder / "big.onnx", {.external_threshold = 100000});
  EXPECT_LT(std::filesystem::file_size(folder / "big.onnx"), 100000u);
  EXPECT_GT(std::filesystem::file_size(folder / "big.onnx.data"), 1000000u);
  const ir::Model back = onnx::read_model(folder / "big.onnx");
  expect_same(m, back, "external");
  // Reading from the very files that are replaced.
  onnx::write_model(back, folder / "big.onnx", {.external_threshold = 100000});
  expect_same(m, onnx::read_model(folder / "big.onnx"), "external again");
  std::size_t files = 0;
  for (const auto& unused : std::filesystem::directory_iterator((folder / "big.onnx").parent_path()))
    ++files, (void)unused;
  EXPECT_EQ(files, 2u);  // nothing temporary is left
}

}  // namespace
}  // namespace pare::test
