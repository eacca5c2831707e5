// Codebook against the nodes that it stands for.
#include <gtest/gtest.h>

#include "../op_case.h"
#include "ir/fake_quantize.h"
#include "pare/error.h"

namespace pare::testing {
namespace {

Tensor run(const std::vector<Tensor>& tensors) {
  std::vector<std::pair<DType, ir::Shape>> inputs;
  NamedTensors named;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    inputs.emplace_back(tensors[i].dtype(), ir::Shape::of(tensors[i].dims()));
    named["x" + std::to_string(i)] = tensors[i];
  }
  ir::Model model = one_node("Codebook", 17, inputs);
  model.opsets[std::string(ir::kPareDomain)] = 1;
  const ir::NodeId id = model.graph.nodes().front();
  ir::Node node = model.graph.node(id);
  node.domain = ir::kPareDomain;
  model.graph.set_output(id, 0, model.graph.add_value("none"));
  model.graph.erase_node(id);
  model.graph.add_node(node);
  return ir::evaluate(model, named).at("y0");
}

TEST(Codebook, ReadsTheEntryOrTheOneOfItsPart) {
  const Tensor values = Tensor::from<float>({6}, {0, 0.5F, -1, 7, 8, 9});
  const Tensor indices = Tensor::from<std::uint8_t>({2, 3}, {0, 2, 1, 1, 1, 0});
  const Tensor plain = run_one("Gather", 17, {values, run_one("Cast", 17, {indices}, {{"to", std::int64_t{6}}})});
  EXPECT_TRUE(run({values, indices}).identical(plain));
  for (const Dims& dims : {Dims{2, 1}, Dims{1, 3}, Dims{2, 3}}) {
    const std::vector<std::int32_t> all = {3, 0, 1, 0, 3, 2};
    const Tensor first = Tensor::from(dims, std::vector<std::int32_t>(all.begin(), all.begin() + element_count(dims)));
    const Tensor at = run_one("Add", 17, {run_one("Cast", 17, {indices}, {{"to", std::int64_t{6}}}), first});
    EXPECT_TRUE(run({values, indices, first}).identical(run_one("Gather", 17, {values, at}))) << to_string(dims);
  }
}

TEST(Codebook, AnIndexPastTheEndIsAnError) {
  const Tensor values = Tensor::from<float>({2}, {0, 1}), indices = Tensor::from<std::uint8_t>({1, 2}, {0, 2});
  EXPECT_THROW(run({values, indices}), Error);
}

}  // namespace
}  // namespace pare::testing
