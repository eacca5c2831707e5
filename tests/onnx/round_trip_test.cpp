// What is read is written back, and read again as the same model.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "expect_error.h"
#include "ir/notes.h"
#include "same_model.h"
#include "wire_builder.h"

namespace pare::test {
namespace {

ir::Model parse(const std::string& bytes) { return onnx::parse_model(bytes, "m.onnx", "."); }

/// Writes and reads back; both directions must be stable to the byte.
ir::Model expect_round_trip(const ir::Model& model, const std::string& who) {
  const std::string bytes = onnx::serialize_model(model);
  ir::Model back = onnx::parse_model(bytes, who, ".");
  expect_same(model, back, who);
  EXPECT_EQ(onnx::serialize_model(back), bytes) << who;
  return back;
}

TEST(RoundTrip, ExampleModels) {
  for (const char* name : {"fmnist_convnet", "fmnist_mlp", "fmnist_resnet10"}) {
    const ir::Model m = onnx::read_model(std::string(PARE_SOURCE_DIR) + "/examples/models/" + name + ".onnx");
    EXPECT_GT(m.graph.nodes().size(), 3u);
    EXPECT_EQ(m.graph.inputs.size(), 1u);
    EXPECT_EQ(m.graph.value(m.graph.inputs[0]).name, "image");
    EXPECT_FALSE(m.graph.value(m.graph.inputs[0]).shape[0].is_known());  // dynamic batch
    expect_round_trip(m, name);
  }
}

TEST(RoundTrip, SharedModels) {
  const char* folder = std::getenv("PARE_TEST_MODELS");
  if (!folder) GTEST_SKIP() << "PARE_TEST_MODELS names no folder of models";
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".onnx") continue;
    const ir::Model m = onnx::read_model(entry.path());
    expect_round_trip(m, entry.path().filename());
    TemporaryFolder out;
    onnx::write_model(m, out / "m.onnx", {.external_threshold = 1 << 20});
    expect_same(m, onnx::read_model(out / "m.onnx"), entry.path().filename());
    ++found;
  }
  EXPECT_GT(found, 0);
}

TEST(RoundTrip, NodeTestModels) {
  const std::filesystem::path folder = "/usr/share/libonnx-testdata/data";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "libonnx-testdata is not installed";
  int kept = 0, refused = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().filename() != "model.onnx") continue;
    try {
      expect_round_trip(onnx::read_model(entry.path()), entry.path());
      ++kept;
    } catch (const Error& error) {
      // Only old operator sets may be refused: every one of these files is valid.
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << error.what();
      EXPECT_NE(std::string(error.what()).find("opset"), std::string::npos) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(kept, 900);
  EXPECT_LT(refused, kept / 5);
}

TEST(RoundTrip, NotesStayInMemory) {
  ir::Model m = onnx::read_model(std::string(PARE_SOURCE_DIR) + "/examples/models/fmnist_mlp.onnx");
  const std::string bytes = onnx::serialize_model(m);
  const std::vector<float> scale = {1, -2};
  for (ir::ValueId id : m.graph.values()) ir::set_note(m.graph.value(id), ir::kBatchNormScale, scale);
  EXPECT_EQ(ir::find_note(m.graph.value(m.graph.outputs[0]), ir::kBatchNormScale), scale);
  EXPECT_EQ(onnx::serialize_model(m), bytes);
}

TEST(RoundTrip, DocumentationMetadataAndUnknownFields) {
  const auto prop = [](const char* key) { return Message().text(1, key).text(2, "v"); };
  Message relu = node("Relu", {"x"}, {"h"}, "act");
  relu.text(6, "node doc").text(8, "over").sub(9, prop("node"));
  relu.sub(10, Message().text(1, "device"));  // device configuration: a field Pare does not know
  Message custom = node("Frob", {"h", "", "w"}, {"y", ""}).text(7, "com.example");
  custom.sub(5, Message().text(1, "k").text(4, "value").text(13, "attribute doc").number(20, 3).text(99, "later"));
  custom.sub(5, Message().text(1, "type").sub(14, Message().number(77, 1)).number(20, 13));  // a TypeProto attribute
  Message w = float_tensor("w", {1}).text(12, "tensor doc").sub(16, prop("tensor")).text(98, "odd");
  Message h = value_info("h", 1, {-1, 4});
  h.text(3, "value doc").sub(4, prop("value")).text(97, "odd");
  Message g = graph({{kNode, relu}, {kNode, custom}, {kInitializer, w}, {kValueInfo, h}});
  g.text(10, "graph doc").sub(14, Message().text(1, "w")).sub(16, prop("graph"));  // 14: quantization annotation
  Message m = model(g);
  m.text(2, "tool").text(3, "1.2").text(4, "org").number(5, 7).text(6, "model doc").sub(14, prop("model"));
  m.sub(8, Message().text(1, "com.example").number(2, 3)).sub(20, Message().sub(1, Message().text(2, "training")));
  m.sub(26, Message().text(1, "gpu"));

  const ir::Model read = expect_round_trip(parse(m.bytes()), "baggage");
  EXPECT_EQ(read.baggage.doc, "model doc");
  EXPECT_EQ(read.baggage.metadata.at("model"), "v");
  EXPECT_NE(read.baggage.unknown_fields.find("training"), std::string::npos);
  EXPECT_NE(read.baggage.unknown_fields.find("gpu"), std::string::npos);
  EXPECT_EQ(read.producer_name + read.producer_version + read.domain, "tool1.2org");
  EXPECT_EQ(read.model_version, 7);
  EXPECT_EQ(read.opset("com.example"), 3);
  EXPECT_EQ(read.graph.baggage.doc, "graph doc");
  EXPECT_FALSE(read.graph.baggage.unknown_fields.empty());
  const ir::Node& act = read.graph.node(read.graph.find_node("act"));
  EXPECT_EQ(act.overload, "over");
  EXPECT_EQ(act.baggage.doc, "node doc");
  EXPECT_NE(act.baggage.unknown_fields.find("device"), std::string::npos);
  const ir::Value& hidden = read.graph.value(read.graph.find_value("h"));
  EXPECT_EQ(hidden.baggage.doc, "value doc");
  EXPECT_TRUE(hidden.has_value_info);
  EXPECT_EQ(to_string(hidden.shape), "[N, 4]");
  EXPECT_EQ(read.graph.value(read.graph.find_value("w")).baggage.doc, "tensor doc");
  const ir::Node& frob = read.graph.node(read.graph.nodes()[1]);
  EXPECT_EQ(frob.domain, "com.example");
  EXPECT_EQ(frob.inputs[1], ir::kNoValue);
  EXPECT_EQ(frob.outputs[1], ir::kNoValue);
  EXPECT_EQ(frob.attributes.at("k").doc, "attribute doc");
  EXPECT_FALSE(frob.attributes.at("k").unknown_fields.empty());
  EXPECT_FALSE(frob.attributes.at("type").opaque.empty());
  EXPECT_TRUE(frob.name_made_up);
}

TEST(RoundTrip, DenotationsSurviveWhileTheRankStays) {
  Message dim = Message().number(1, 4).text(3, "DATA_CHANNEL");
  Message y = Message().text(1, "y").sub(
      2, Message().sub(1, Message().number(1, 1).sub(2, Message().sub(1, dim))).text(6, "IMAGE"));
  Message g = Message().text(2, "g").sub(11, value_info("x", 1, {4})).sub(12, y).sub(1, node("Relu", {"x"}, {"y"}));
  ir::Model m = expect_round_trip(parse(model(g).bytes()), "denotations");
  EXPECT_NE(onnx::serialize_model(m).find("DATA_CHANNEL"), std::string::npos);
  m.graph.value(m.graph.outputs[0]).shape = ir::Shape::of({4, 1});
  EXPECT_EQ(onnx::serialize_model(m).find("DATA_CHANNEL"), std::string::npos);
}

TEST(RoundTrip, InitializersListedAsInputs) {
  const std::vector<Part> parts = {{kNode, node("Add", {"x", "w"}, {"y"})},
                                   {kInitializer, float_tensor("w", {1, 2, 3, 4})},
                                   {11, value_info("w", 1, {4})}};
  for (const std::int64_t version : {3, 8}) {
    const ir::Model m = expect_round_trip(parse(model(graph(parts), 9, version).bytes()), "listed");
    ASSERT_EQ(m.graph.inputs.size(), 1u);
    EXPECT_EQ(m.graph.value(m.graph.inputs[0]).name, "x");
    EXPECT_TRUE(m.graph.value(m.graph.find_value("w")).listed_as_input);
  }
}

TEST(RoundTrip, NodeNamesBecomeUniqueAndStayOut) {
  const ir::Model m = parse(model(graph({{kNode, node("Relu", {"x"}, {"a"}, "n")},
                                         {kNode, node("Relu", {"a"}, {"b"}, "n")},
                                         {kNode, node("Relu", {"b"}, {"c"})},
                                         {kNode, node("Relu", {"c"}, {"y"}, "Relu_1")}}))
                                .bytes());
  std::set<std::string> seen;
  for (const ir::NodeId id : m.graph.nodes()) EXPECT_TRUE(seen.insert(m.graph.node(id).name).second);
  EXPECT_EQ(m.graph.node(m.graph.nodes()[0]).name, "n");
  EXPECT_EQ(m.graph.node(m.graph.nodes()[3]).name, "Relu_1");  // the file's own name wins over a made-up one
  const std::string bytes = onnx::serialize_model(m);
  for (const ir::NodeId id : m.graph.nodes()) {
    const ir::Node& n = m.graph.node(id);
    if (!n.name_made_up) continue;
    EXPECT_EQ(bytes.find(n.name), std::string::npos) << n.name;
  }
}

TEST(RoundTrip, UnsortedNodesAreSorted) {
  const ir::Model m = parse(model(graph({{kNode, node("Relu", {"b"}, {"y"}, "last")},
                                         {kNode, node("Abs", {"a"}, {"b"}, "mid")},
                                         {kNode, node("Neg", {"x"}, {"a"}, "first")}}))
                                .bytes());
  std::vector<std::string> order;
  for (const ir::NodeId id : m.graph.nodes()) order.push_back(m.graph.node(id).name);
  EXPECT_EQ(order, (std::vector<std::string>{"first", "mid", "last"}));
}

TEST(RoundTrip, SubgraphsCaptureOuterValues) {
  const auto branch = [](const char* op) {
    Message inner = node(op, {"late", "w"}, {"r"});
    return Message().text(2, op).sub(12, value_info("r", 1, {4})).sub(1, inner);
  };
  Message choose = node("If", {"cond"}, {"y"}, "choose");
  choose.sub(5, Message().text(1, "then_branch").sub(6, branch("Add")).number(20, 5));
  choose.sub(5, Message().text(1, "else_branch").sub(6, branch("Mul")).number(20, 5));
  // "late" is read only inside the branches, and its producer comes after the If.
  const std::vector<Part> parts = {{kNode, choose},
                                   {kNode, node("Relu", {"x"}, {"late"}, "maker")},
                                   {kInitializer, float_tensor("w", {1, 2, 3, 4})},
                                   {kInitializer, tensor("cond", 9, {}).text(9, std::string(1, '\1'))}};
  const ir::Model m = expect_round_trip(parse(model(graph(parts)).bytes()), "subgraph");
  EXPECT_EQ(m.graph.node(m.graph.nodes()[0]).name, "maker");
  const auto& inner =
      *std::get<std::shared_ptr<ir::Graph>>(m.graph.node(m.graph.nodes()[1]).attributes.at("then_branch").value);
  EXPECT_TRUE(inner.value(inner.find_value("late")).captured);
  EXPECT_EQ(m.graph.captured_names(), (std::vector<std::string>{"late", "w"}));

  Message broken = node("If", {"cond"}, {"y"}, "choose");
  Message bad =
      Message().text(2, "b").sub(12, value_info("r", 1, {4})).sub(1, node("Relu", {"nobody"}, {"r"}, "inner"));
  broken.sub(5, Message().text(1, "then_branch").sub(6, bad).number(20, 5));
  expect_refused(model(graph({{kNode, broken}, {kInitializer, tensor("cond", 9, {}).text(9, "\1")}})).bytes(),
                 {"'inner'", "'nobody'"});
}

TEST(RoundTrip, Functions) {
  Message scaled = node("Mul", {"in", "in"}, {"out"}, "body");
  scaled.sub(5, Message().text(1, "alpha").text(21, "factor").number(20, 1));
  Message f;
  f.text(1, "Square").text(4, "in").text(5, "out").text(6, "factor").sub(7, scaled).text(8, "function doc");
  f.sub(9, Message().text(1, "").number(2, 17)).text(10, "local").text(13, "v2").sub(12, value_info("in", 1, {-1}));
  f.sub(11, Message().text(1, "beta").fixed32(2, 0.5f).number(20, 1)).sub(14, Message().text(1, "k").text(2, "v"));
  Message m = model(graph({{kNode, node("Square", {"x"}, {"y"}, "call").text(7, "local").text(8, "v2")}}));
  m.sub(8, Message().text(1, "local").number(2, 1)).sub(25, f);
  const ir::Model read = expect_round_trip(parse(m.bytes()), "function");
  ASSERT_EQ(read.functions.size(), 1u);
  const ir::Function& square = read.functions[0];
  EXPECT_EQ(square.domain + "." + square.name + "." + square.overload, "local.Square.v2");
  EXPECT_EQ(square.attributes, std::vector<std::string>{"factor"});
  EXPECT_EQ(std::get<float>(square.attribute_defaults.at("beta").value), 0.5f);
  EXPECT_EQ(square.body->node(square.body->nodes()[0]).attributes.at("alpha").reference, "factor");
  expect_refused(Message(m).sub(25, f).bytes(), {"'Square'", "twice"});
}

TEST(RoundTrip, NonTensorTypesStay) {
  const Message sequence = Message().sub(4, Message().sub(1, Message().sub(1, Message().number(1, 1))));
  Message g = Message().text(2, "g").sub(11, Message().text(1, "x").sub(2, sequence)).sub(12, value_info("y", 1, {4}));
  g.sub(1, node("ConcatFromSequence", {"x"}, {"y"}));
  const ir::Model m = expect_round_trip(parse(model(g).bytes()), "sequence");
  EXPECT_FALSE(m.graph.value(m.graph.inputs[0]).opaque_type.empty());
}

TEST(RoundTrip, WriteModelReplacesAtomically) {
  TemporaryFolder folder;
  const ir::Model m = onnx::read_model(std::string(PARE_SOURCE_DIR) + "/examples/models/fmnist_convnet.onnx");
  onnx::write_model(m, folder / "m.onnx");
  EXPECT_EQ(read_file(folder / "m.onnx"), onnx::serialize_model(m));
  const ir::Model mapped = onnx::read_model(folder / "m.onnx");
  onnx::write_model(mapped, folder / "m.onnx");  // over the file it is mapped from
  expect_same(m, onnx::read_model(folder / "m.onnx"), "rewritten");
  EXPECT_FALSE(std::filesystem::exists(folder / "m.onnx.data"));
  expect_error(ErrorCode::kIo, {"nowhere"}, [&] { onnx::write_model(m, folder / "nowhere/m.onnx"); });
}

TEST(RoundTrip, StoreIsTheSame) {
  TemporaryFolder folder;
  const ir::Model m = onnx::read_model(std::string(PARE_SOURCE_DIR) + "/examples/models/fmnist_convnet.onnx");
  onnx::store().save(m, folder / "m.onnx");
  expect_same(m, onnx::store().load(folder / "m.onnx"), "store");
  std::string content;
  onnx::store().visit_content(m, [&](std::string_view piece) { content += piece; });
  EXPECT_EQ(content, read_file(folder / "m.onnx"));
}

}  // namespace
}  // namespace pare::test
