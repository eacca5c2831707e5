// Damaged files, by the thousand: only pare::Error may come out, and what still reads must still write.
#include <gtest/gtest.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/rng.h"
#include "onnx/onnx_file.h"
#include "pare/error.h"
#include "wire_builder.h"

namespace pare::test {
namespace {

struct Tally {
  int read = 0, refused = 0;
};

void feed(std::string bytes, Tally& tally) {
  try {
    const ir::Model m = onnx::parse_model(std::move(bytes), "m.onnx", "/nonexistent");
    onnx::serialize_model(m);
    ++tally.read;
  } catch (const Error& error) {
    const bool expected = error.code() == ErrorCode::kBadInput || error.code() == ErrorCode::kUnsupported;
    EXPECT_TRUE(expected) << error.what();
    EXPECT_NE(std::string(error.what()).find("m.onnx"), std::string::npos) << error.what();
    ++tally.refused;
  }
}

/// A model that has something of everything.
std::string rich_model() {
  const auto branch = [](const char* name) {
    const Message inner = Message().text(2, name).sub(12, value_info("r", 1, {4})).sub(1, node("Relu", {"h"}, {"r"}));
    return Message().text(1, name).sub(6, inner).number(20, 5);
  };
  const Message big = tensor("big", 1, {40, 40}).text(9, std::string(6400, 'z'));
  const Message typed = tensor("s", 7, {2}).number(7, -5).number(7, 6);
  const Message constant =
      node("Constant", {}, {"k"}).sub(5, Message().text(1, "value").sub(5, float_tensor("v", {1, 2})).number(20, 4));
  Message f = Message().text(1, "F").text(4, "a").text(5, "b").sub(7, node("Abs", {"a"}, {"b"}));
  f.sub(9, Message().text(1, "").number(2, 17)).text(10, "local");
  const std::vector<Part> parts = {
      {kNode, node("Add", {"x", "k"}, {"h"}, "add")},
      {kNode, constant},
      {kNode, node("If", {"c"}, {"y"}, "if").sub(5, branch("then_branch")).sub(5, branch("else_branch"))},
      {kNode, node("F", {"x"}, {"z"}).text(7, "local")},
      {kInitializer, big},
      {kInitializer, typed},
      {kInitializer, tensor("c", 9, {}).text(9, "\1")},
      {kValueInfo, value_info("h", 1, {-1})}};
  return model(graph(parts)).sub(8, Message().text(1, "local").number(2, 1)).sub(25, f).bytes();
}

TEST(Mutation, TheModelItselfIsFine) {
  Tally tally;
  feed(rich_model(), tally);
  EXPECT_EQ(tally.read, 1);
}

TEST(Mutation, Truncations) {
  const std::string whole = rich_model();
  Tally tally;
  for (std::size_t n = 0; n < whole.size(); n += n < 1000 || n + 1000 > whole.size() ? 1 : 7)
    feed(whole.substr(0, n), tally);
  EXPECT_GT(tally.refused, 2000);
  const std::string example = read_file(std::string(PARE_SOURCE_DIR) + "/examples/models/fmnist_convnet.onnx");
  for (std::size_t n = 0; n < example.size(); n += 211) feed(example.substr(0, n), tally);
}

TEST(Mutation, FlippedBytes) {
  const std::string whole = rich_model();
  const std::string big_payload(64, 'z');
  const std::size_t quiet = whole.find(big_payload), quiet_end = quiet + 6400;  // damage there changes only a weight
  Rng rng(1, kRngTest);
  Tally tally;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = whole;
    const std::uint64_t edits = 1 + rng.below(4);
    for (std::uint64_t e = 0; e < edits; ++e) {
      std::size_t at = rng.below(bytes.size() - (quiet_end - quiet));
      if (at >= quiet) at += quiet_end - quiet;
      bytes[at] = rng.coin() ? static_cast<char>(rng.next()) : static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
    }
    feed(std::move(bytes), tally);
  }
  EXPECT_GT(tally.refused, 5000);
  EXPECT_GT(tally.read, 500);
}

TEST(Mutation, InsertedRemovedAndRepeatedPieces) {
  const std::string whole = rich_model();
  Rng rng(2, kRngTest);
  Tally tally;
  for (int i = 0; i < 5000; ++i) {
    std::string bytes = whole;
    const std::size_t at = rng.below(bytes.size()), length = rng.below(32), from = rng.below(bytes.size() - 32);
    if (rng.coin())
      bytes.erase(at, length);
    else
      bytes.insert(at, whole.substr(from, length));
    feed(std::move(bytes), tally);
  }
  EXPECT_GT(tally.refused, 1000);
}

TEST(Mutation, SmallFilesCannotAskForMuchMemory) {
  const std::int64_t before = resident_bytes();
  Tally tally;
  for (const std::int64_t dim :
       {std::int64_t{1} << 31, std::int64_t{1} << 40, std::int64_t{1} << 62, std::int64_t{-1}}) {
    for (int type = 0; type <= 28; ++type) {
      const Message w = tensor("w", type, {dim, 3}).text(9, "abc");
      feed(model(graph({{kNode, node("Relu", {"x"}, {"y"})}, {kInitializer, w}})).bytes(), tally);
    }
  }
  EXPECT_EQ(tally.read, 0);
  EXPECT_LT(resident_bytes() - before, std::int64_t{64} << 20);
}

}  // namespace
}  // namespace pare::test
