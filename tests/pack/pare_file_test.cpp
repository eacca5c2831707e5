// Whole files: what is read is what was written, and what is damaged is refused by name.
#include "pack/pare_file.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/hash.h"
#include "base/rng.h"
#include "onnx/onnx_file.h"
#include "onnx/same_model.h"
#include "pack/container.h"
#include "pare/error.h"

namespace pare::test {
namespace {

const std::string kModels = std::string(PARE_SOURCE_DIR) + "/examples/models/";

/// A path in the tests' folder, removed at the end.
class ScratchFile {
 public:
  explicit ScratchFile(const std::string& name) : path_(fs::path(testing::TempDir()) / name) {}
  ~ScratchFile() { fs::remove(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string written(const ir::Model& model, bool stored) {
  const ScratchFile file("written.pare");
  pack::write_model(model, file.path(), {.stored = stored});
  return read_file(file.path());
}

TEST(PareFile, ExampleModelsComeBackEqual) {
  for (const char* name : {"fmnist_convnet.onnx", "fmnist_mlp.onnx", "fmnist_resnet10.onnx"}) {
    const ir::Model model = onnx::read_model(kModels + name);
    for (const bool stored : {false, true}) {
      const std::string bytes = written(model, stored);
      const ir::Model again = pack::parse_model(bytes, "m.pare");
      expect_same(model, again, name);
      EXPECT_EQ(onnx::serialize_model(model), onnx::serialize_model(again)) << name;
      if (stored) continue;
      EXPECT_LT(bytes.size(), 0.88 * static_cast<double>(fs::file_size(kModels + name))) << name;
    }
  }
}

TEST(PareFile, IsToldApartByItsFirstBytes) {
  const ir::Model model = onnx::read_model(kModels + "fmnist_convnet.onnx");
  const ScratchFile pare("m.pare"), misnamed("m.onnx"), liar("onnx.pare");
  pack::write_model(model, pare.path());
  fs::copy_file(pare.path(), misnamed.path(), fs::copy_options::overwrite_existing);
  expect_same(model, pack::read_model(misnamed.path()), "misnamed");
  fs::copy_file(kModels + "fmnist_convnet.onnx", liar.path(), fs::copy_options::overwrite_existing);
  EXPECT_THROW(
      {
        try {
          pack::read_model(liar.path());
        } catch (const Error& error) {
          EXPECT_NE(std::string(error.what()).find("is not a .pare file"), std::string::npos) << error.what();
          throw;
        }
      },
      Error);
}

TEST(PareFile, StoredTensorsAreMappedNotCopied) {
  const ir::Model model = onnx::read_model(kModels + "fmnist_mlp.onnx");
  const ScratchFile file("stored.pare");
  pack::write_model(model, file.path(), {.stored = true});
  const ir::Model again = pack::read_model(file.path());
  int large = 0;
  for (const ir::ValueId id : again.graph.values()) {
    const Tensor* tensor = again.graph.constant(id);
    if (!tensor || tensor->bytes() < 256) continue;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor->raw()) % 64, 0U);
    ++large;
  }
  EXPECT_GT(large, 2);
}

std::string refusal(const std::string& bytes) {
  try {
    pack::parse_model(bytes, "m.pare");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    return error.what();
  }
  return "";
}

TEST(PareFile, DamageIsNamed) {
  const std::string whole = written(onnx::read_model(kModels + "fmnist_convnet.onnx"), false);
  EXPECT_NE(refusal(whole.substr(0, whole.size() - 1)).find("is truncated"), std::string::npos);
  EXPECT_NE(refusal(whole + "x").find("more than its header says"), std::string::npos);
  std::string other = whole;
  other[8] = 1;
  EXPECT_NE(refusal(other).find("another version of the .pare format (expected 2, got 1)"), std::string::npos);
  other = whole;
  other.back() = static_cast<char>(other.back() ^ 1);
  EXPECT_NE(refusal(other).find("its tensor section does not match its checksum"), std::string::npos);
  other = whole;
  other[40] = static_cast<char>(other[40] ^ 1);
  EXPECT_NE(refusal(other).find("its header does not match its checksum"), std::string::npos);
}

TEST(PareFile, StoredTensorsAreCheckedWhenTheyAreRead) {
  ir::Model model = onnx::read_model(kModels + "fmnist_mlp.onnx");
  std::string bytes = written(model, true);
  char& byte = bytes[bytes.size() / 2];  // of the largest tensor
  byte = static_cast<char>(byte ^ 1);
  const ir::Model damaged = pack::parse_model(bytes, "m.pare");
  int refused = 0;
  for (const ir::ValueId id : damaged.graph.values()) {
    const Tensor* tensor = damaged.graph.constant(id);
    if (!tensor) continue;
    for (int again = 0; again < 2; ++again) {  // what failed once is not taken for checked
      try {
        tensor->clone();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kBadInput);
        EXPECT_NE(std::string(error.what()).find("m.pare: is damaged: a tensor of its tensor section"), std::string::npos)
            << error.what();
        ++refused;
      }
    }
  }
  EXPECT_EQ(refused, 2);
  EXPECT_THROW(onnx::serialize_model(damaged), Error);
}

/// Whatever byte is changed: an error that names the file, or, between the pieces, the same model.
TEST(PareFile, NoChangedByteIsRead) {
  ir::Model model = onnx::read_model(kModels + "fmnist_mlp.onnx");
  const std::string whole = written(model, true);
  const std::string content = onnx::serialize_model(model);
  Rng rng(11, kRngTest);
  int refused = 0;
  for (int i = 0; i < 300; ++i) {
    std::string bytes = whole;
    const std::size_t at = rng.below(rng.coin() ? bytes.size() : 8192);
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
    if (!pack::is_container(bytes)) continue;
    try {
      EXPECT_EQ(onnx::serialize_model(pack::parse_model(bytes, "m.pare")), content) << at;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBadInput) << error.what();
      EXPECT_NE(std::string(error.what()).find("m.pare"), std::string::npos) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 150);
}

/// The file with checksums that fit, so that damage reaches the decoders.
std::string with_checksums(std::string bytes) {
  const auto read64 = [&](std::size_t at) {
    std::uint64_t value;
    std::memcpy(&value, bytes.data() + at, 8);
    return value;
  };
  const auto write64 = [&](std::size_t at, std::uint64_t value) { std::memcpy(bytes.data() + at, &value, 8); };
  std::uint32_t sections;
  std::memcpy(&sections, bytes.data() + 12, 4);
  for (std::size_t i = 0; i < sections; ++i) {
    const std::size_t row = 32 + 64 * i;
    if (read64(row + 8) > bytes.size() || read64(row + 16) > bytes.size() - read64(row + 8)) continue;
    const std::string_view section = std::string_view(bytes).substr(read64(row + 8), read64(row + 16));
    write64(row + 32, hash64(section.substr(0, read64(row + 24))));
  }
  write64(24, 0);
  write64(24, hash64(std::string_view(bytes).substr(0, 32 + 64 * sections)));
  return bytes;
}

/// One tensor for every coding.
ir::Model rich_model() {
  Rng rng(5, kRngTest);
  ir::Model model = onnx::read_model(kModels + "fmnist_convnet.onnx");
  ir::Graph& graph = model.graph;
  std::vector<std::int8_t> dense(3000), sparse(64 * 70), flat(2000, 3);
  for (std::int8_t& v : dense) v = static_cast<std::int8_t>(rng.below(40)) - 20;
  for (std::int8_t& v : sparse) v = static_cast<std::int8_t>(rng.below(8) == 0 ? rng.below(100) + 1 : 0);
  std::vector<float> thin(64 * 40);
  for (float& v : thin) v = rng.below(6) == 0 ? static_cast<float>(rng.below(1000)) * 0.37F : 0.0F;
  graph.add_initializer("dense", Tensor::from<std::int8_t>({30, 100}, dense));
  graph.add_initializer("sparse", Tensor::from<std::int8_t>({70, 64}, sparse));
  graph.add_initializer("flat", Tensor::from<std::int8_t>({2000}, flat));
  graph.add_initializer("thin", Tensor::from<float>({64, 40}, thin));
  return model;
}

TEST(PareFile, EveryCodingComesBackEqual) {
  const ir::Model model = rich_model();
  expect_same(model, pack::parse_model(written(model, false), "m.pare"), "rich");
}

TEST(PareFile, DamagedBytesAreRefusedOrRead) {
  const std::string whole = written(rich_model(), false);
  EXPECT_EQ(refusal(with_checksums(whole)), "");
  Rng rng(7, kRngTest);
  int refused = 0, read = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = whole;
    const std::uint64_t edits = 1 + rng.below(4);
    for (std::uint64_t e = 0; e < edits; ++e) {
      // Half of the damage to the first bytes of the sections, where their structure lies.
      std::size_t at = rng.below(bytes.size());
      if (rng.coin()) at = rng.coin() ? 160 + rng.below(400) : 4096 + rng.below(300);
      bytes[at] = rng.coin() ? static_cast<char>(rng.next()) : static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
    }
    if (rng.below(8) == 0) bytes.resize(rng.below(bytes.size()));
    if (bytes.size() >= 160) bytes = with_checksums(std::move(bytes));
    try {
      onnx::serialize_model(pack::parse_model(std::move(bytes), "m.pare"));
      ++read;
    } catch (const Error& error) {
      const bool expected = error.code() == ErrorCode::kBadInput || error.code() == ErrorCode::kUnsupported;
      EXPECT_TRUE(expected) << error.what();
      EXPECT_NE(std::string(error.what()).find("m.pare"), std::string::npos) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 600);
  EXPECT_GT(read, 300);
}

TEST(PareFile, Truncations) {
  const std::string whole = written(onnx::read_model(kModels + "fmnist_convnet.onnx"), false);
  for (std::size_t n = 0; n < whole.size(); n += n < 5000 ? 1 : 997)
    if (pack::is_container(std::string_view(whole).substr(0, n))) {  // what is shorter is read as ONNX
      EXPECT_NE(refusal(whole.substr(0, n)).find("truncated"), std::string::npos) << n;
    }
}

TEST(PareFile, ReferenceModelsComeBackEqual) {
  const char* folder = std::getenv("PARE_TEST_MODELS");
  if (!folder) GTEST_SKIP() << "PARE_TEST_MODELS is not set";
  for (const char* name : {"efficientnet_lite0.onnx", "mobilenet_v3_small_dynamo.onnx"}) {
    const ir::Model model = onnx::read_model(std::string(folder) + "/" + name);
    expect_same(model, pack::parse_model(written(model, false), "m.pare"), name);
  }
}

}  // namespace
}  // namespace pare::test
