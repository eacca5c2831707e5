// Files that are not models, or broken ones: each is refused with the thing named.
#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "expect_error.h"
#include "wire_builder.h"

namespace pare::test {
namespace {

const Message kRelu = node("Relu", {"x"}, {"y"}, "act");
const std::string kFolder = std::string(PARE_SOURCE_DIR) + "/examples/models/";

TEST(Malformed, MissingFile) {
  expect_error(ErrorCode::kBadInput, {"nowhere.onnx"}, [] { onnx::read_model("/tmp/pare-none/nowhere.onnx"); });
}

TEST(Malformed, EmptyFile) {
  TemporaryFolder folder;
  const auto path = folder.write("e.onnx", "");
  expect_error(ErrorCode::kBadInput, {"e.onnx", "empty"}, [&] { onnx::read_model(path); });
}

TEST(Malformed, NotOnnx) {
  expect_refused("hello, this is a text file and no model at all\n", {"not an ONNX model"});
  expect_refused(std::string("\x89PNG\r\n\x1a\n") + std::string(100, '\0'), {"not an ONNX model"});
  expect_refused(Message().number(1, 8).text(2, "tool").bytes(), {"not an ONNX model", "no graph"});
  expect_refused(Message().sub(7, graph({})).bytes(), {"not an ONNX model", "IR version"});
}

TEST(Malformed, Truncated) {
  const std::string whole = read_file(kFolder + "fmnist_mlp.onnx");
  expect_refused(whole.substr(0, whole.size() / 2), {"truncated", "bytes"});
}

TEST(Malformed, WrongNumberOfBytes) {
  const Message weight = tensor("w", 1, {2, 2}).text(9, std::string(12, 'a'));
  expect_refused(model(graph({{kNode, kRelu}, {kInitializer, weight}})).bytes(),
                 {"'w'", "2x2", "expected 16", "got 12"});
  const Message large = tensor("w", 1, {2000}).text(9, std::string(7999, 'a'));
  expect_refused(model(graph({{kNode, kRelu}, {kInitializer, large}})).bytes(), {"'w'", "expected 8000", "got 7999"});
  expect_refused(model(graph({{kNode, kRelu}, {kInitializer, tensor("w", 1, {3})}})).bytes(), {"'w'", "no data"});
}

TEST(Malformed, WrongNumberOfTypedValues) {
  const Message weight = tensor("w", 7, {3}).text(7, std::string("\1\2", 2));
  expect_refused(model(graph({{kNode, kRelu}, {kInitializer, weight}})).bytes(),
                 {"'w'", "int64_data", "expected 3", "got 2"});
  const Message wide = tensor("w", 3, {1}).number(5, 300);
  expect_refused(model(graph({{kNode, kRelu}, {kInitializer, wide}})).bytes(), {"'w'", "int8", "300"});
  const Message twice = tensor("w", 1, {1}).text(9, raw<float>({1})).fixed32(4, 1);
  expect_refused(model(graph({{kNode, kRelu}, {kInitializer, twice}})).bytes(), {"'w'", "several fields"});
}

TEST(Malformed, Dimensions) {
  const auto with = [](const std::vector<std::int64_t>& dims) {
    return model(graph({{kNode, kRelu}, {kInitializer, tensor("w", 1, dims).text(9, "abcd")}})).bytes();
  };
  expect_refused(with({-2}), {"'w'", "negative", "-2"});
  expect_refused(with({std::int64_t{1} << 40, std::int64_t{1} << 40}), {"'w'", "1099511627776"});
  expect_refused(with({std::int64_t{1} << 61, 2}),
                 {"'w'", "2305843009213693952"});                   // the bytes overflow, not the count
  expect_refused(with({std::int64_t{1} << 50}), {"'w'", "got 4"});  // no allocation of a petabyte
  Message strings = tensor("w", 8, {std::int64_t{1} << 50}).text(6, "a");
  expect_refused(model(graph({{kNode, kRelu}, {kInitializer, strings}})).bytes(), {"'w'", "string_data"});
  expect_refused(model(graph({{kNode, kRelu},
                              {kValueInfo,
                               Message().text(1, "y").sub(
                                   2, Message().sub(1, Message().sub(2, Message().sub(1, Message().number(1, -7)))))}}))
                     .bytes(),
                 {"'y'", "negative", "-7"});
}

TEST(Malformed, UnknownType) {
  expect_refused(model(graph({{kNode, kRelu}, {kInitializer, tensor("w", 99, {1}).text(9, "a")}})).bytes(),
                 {"'w'", "99"});
  expect_refused(model(graph({{kNode, kRelu}, {kValueInfo, value_info("y", 77, {4})}})).bytes(), {"'y'", "77"});
}

TEST(Malformed, DuplicateNames) {
  const Message w = float_tensor("w", {1});
  expect_refused(model(graph({{kNode, kRelu}, {kInitializer, w}, {kInitializer, w}})).bytes(), {"'w'", "twice"});
  expect_refused(model(graph({{kNode, kRelu}, {kNode, node("Abs", {"x"}, {"y"}, "second")}})).bytes(),
                 {"'second'", "'y'"});
  expect_refused(model(graph({{kNode, node("Abs", {"x"}, {"x"}, "self")}})).bytes(), {"'self'", "'x'"});
  expect_refused(model(graph({{kNode, kRelu}, {11, value_info("x", 1, {4})}})).bytes(), {"'x'", "twice"});
}

TEST(Malformed, UndefinedValue) {
  expect_refused(model(graph({{kNode, node("Add", {"x", "ghost"}, {"y"}, "sum")}})).bytes(),
                 {"'sum'", "Add", "'ghost'"});
  expect_refused(model(graph({{kNode, node("Add", {"x", "ghost"}, {"y"})}})).bytes(), {"node #0 (Add)", "'ghost'"});
  expect_refused(model(graph({})).bytes(), {"output 'y'"});
}

TEST(Malformed, Cycle) {
  const std::vector<Part> loop = {{kNode, node("Abs", {"x"}, {"a"}, "fine")},
                                  {kNode, node("Relu", {"c"}, {"y"}, "after")},
                                  {kNode, node("Add", {"a", "c"}, {"b"}, "one")},
                                  {kNode, node("Relu", {"b"}, {"c"}, "two")}};
  expect_refused(model(graph(loop)).bytes(), {"cycle"});
  try {
    onnx::parse_model(model(graph(loop)).bytes(), "m.onnx", ".");
  } catch (const Error& error) {  // one of the two on the cycle, not the node behind it
    const std::string what = error.what();
    EXPECT_TRUE(what.find("'one'") != std::string::npos || what.find("'two'") != std::string::npos) << what;
  }
}

TEST(Malformed, OperatorSets) {
  expect_refused(Message().number(1, 8).sub(7, graph({{kNode, kRelu}})).bytes(), {"opset_import"});
  expect_refused(model(graph({{kNode, kRelu}}), 0).bytes(), {"version"});
  expect_refused(model(graph({{kNode, kRelu}}), 29).bytes(), {"1 to 28", "29"}, ErrorCode::kUnsupported);
  expect_refused(model(graph({{kNode, kRelu}}), 17, 15).bytes(), {"3 to 14", "15"}, ErrorCode::kUnsupported);
  expect_refused(model(graph({{kNode, kRelu}}), 17, 2).bytes(), {"3 to 14", "2"}, ErrorCode::kUnsupported);
  Message foreign = node("Thing", {"x"}, {"y"}, "odd");
  expect_refused(model(graph({{kNode, foreign.text(7, "com.example")}})).bytes(), {"'odd'", "com.example"});
}

TEST(Malformed, Attributes) {
  const auto with = [](const Message& attribute) {
    Message relu = kRelu;
    return model(graph({{kNode, relu.sub(5, attribute)}})).bytes();
  };
  const Message one = Message().text(1, "k").number(3, 1).number(20, 2);
  expect_refused(with(Message().text(1, "k").number(3, 1).fixed32(2, 1).number(20, 2)),
                 {"'act'", "'k'", "several kinds"});
  expect_refused(with(Message().text(1, "k").number(3, 1).number(20, 1)), {"'act'", "'k'", "another kind"});
  expect_refused(with(Message().text(1, "k").number(20, 4)), {"'act'", "'k'", "no tensor"});
  expect_refused(with(Message().number(3, 1).number(20, 2)), {"'act'", "without a name"});
  Message relu = kRelu;
  expect_refused(model(graph({{kNode, relu.sub(5, one).sub(5, one)}})).bytes(), {"'act'", "'k'", "twice"});
}

TEST(Malformed, SparseInitializerIsNamed) {
  const Message sparse = Message().sub(1, float_tensor("sp", {1})).number(3, 4);
  expect_refused(model(graph({{kNode, kRelu}, {15, sparse}})).bytes(), {"'sp'", "sparse"}, ErrorCode::kUnsupported);
}

TEST(Malformed, NestedTooDeeply) {
  Message inner = graph({{kNode, kRelu}});
  for (int i = 0; i < 200; ++i) {
    Message branch = node("If", {"x"}, {"y"});
    inner = graph({{kNode, branch.sub(5, Message().text(1, "then_branch").sub(6, inner).number(20, 5))}});
  }
  expect_refused(model(inner).bytes(), {"nested too deeply"});
}

TEST(Malformed, LongNamesAreShortened) {
  const std::string name(100000, 'n');
  try {
    onnx::parse_model(model(graph({{kNode, node("Add", {"x", name}, {"y"})}})).bytes(), "m.onnx", ".");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_LT(std::string(error.what()).size(), 500u);
  }
}

}  // namespace
}  // namespace pare::test
