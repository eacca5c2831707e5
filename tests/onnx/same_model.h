// Equality of models as round trips must keep it: graph, values, types, metadata, documentation, unknown fields.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <string>

#include "ir/model.h"

namespace pare::test {

inline void expect_same(const ir::Baggage& a, const ir::Baggage& b, const std::string& who) {
  EXPECT_EQ(a.doc, b.doc) << who;
  EXPECT_EQ(a.metadata, b.metadata) << who;
  EXPECT_EQ(a.unknown_fields, b.unknown_fields) << who;
}

void expect_same(const ir::Graph& a, const ir::Graph& b, const std::string& who);

inline bool identical(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!a[i].identical(b[i])) return false;
  return true;
}

inline void expect_same(const ir::Attributes& a, const ir::Attributes& b, const std::string& who) {
  ASSERT_EQ(a.size(), b.size()) << who;
  for (const auto& [name, left] : a) {
    ASSERT_TRUE(b.contains(name)) << who << " " << name;
    const ir::Attribute& right = b.at(name);
    const std::string here = who + " attribute " + name;
    ASSERT_EQ(left.value.index(), right.value.index()) << here;
    EXPECT_EQ(left.reference, right.reference) << here;
    EXPECT_EQ(left.doc, right.doc) << here;
    EXPECT_EQ(left.opaque, right.opaque) << here;
    EXPECT_EQ(left.unknown_fields, right.unknown_fields) << here;
    EXPECT_EQ(left.tensor_annotations, right.tensor_annotations) << here;
    if (!left.reference.empty()) continue;
    if (const auto* tensor = std::get_if<Tensor>(&left.value)) {
      EXPECT_TRUE(tensor->identical(std::get<Tensor>(right.value))) << here;
    } else if (const auto* tensors = std::get_if<std::vector<Tensor>>(&left.value)) {
      EXPECT_TRUE(identical(*tensors, std::get<std::vector<Tensor>>(right.value))) << here;
    } else if (const auto* graph = std::get_if<std::shared_ptr<ir::Graph>>(&left.value)) {
      expect_same(**graph, *std::get<std::shared_ptr<ir::Graph>>(right.value), here);
    } else if (const auto* graphs = std::get_if<std::vector<std::shared_ptr<ir::Graph>>>(&left.value)) {
      const auto& others = std::get<std::vector<std::shared_ptr<ir::Graph>>>(right.value);
      ASSERT_EQ(graphs->size(), others.size()) << here;
      for (std::size_t i = 0; i < graphs->size(); ++i) expect_same(*(*graphs)[i], *others[i], here);
    } else if (const auto* f = std::get_if<float>(&left.value)) {
      EXPECT_EQ(std::memcmp(f, &std::get<float>(right.value), sizeof *f), 0) << here;
    } else if (const auto* floats = std::get_if<std::vector<float>>(&left.value)) {
      const auto& others = std::get<std::vector<float>>(right.value);
      ASSERT_EQ(floats->size(), others.size()) << here;
      EXPECT_EQ(std::memcmp(floats->data(), others.data(), floats->size() * sizeof(float)), 0) << here;
    } else {
      std::visit(
          [&](const auto& value) {
            using T = std::decay_t<decltype(value)>;
            if constexpr (requires { value == value; } && !std::is_same_v<T, std::vector<Tensor>>) {
              EXPECT_TRUE(value == std::get<T>(right.value)) << here;
            }
          },
          left.value);
    }
  }
}

inline void expect_same(const ir::Value& a, const ir::Value& b, const std::string& who) {
  EXPECT_EQ(a.dtype, b.dtype) << who;
  EXPECT_TRUE(a.shape == b.shape) << who << " " << to_string(a.shape) << " " << to_string(b.shape);
  EXPECT_EQ(a.constant.has_value(), b.constant.has_value()) << who;
  if (a.constant && b.constant) {
    EXPECT_TRUE(a.constant->identical(*b.constant)) << who;
  }
  EXPECT_EQ(a.captured, b.captured) << who;
  EXPECT_EQ(a.opaque_type, b.opaque_type) << who;
  EXPECT_EQ(a.has_value_info, b.has_value_info) << who;
  EXPECT_EQ(a.listed_as_input, b.listed_as_input) << who;
  EXPECT_EQ(a.type_annotations, b.type_annotations) << who;
  expect_same(a.baggage, b.baggage, who);
}

inline std::vector<std::string> names(const ir::Graph& graph, const std::vector<ir::ValueId>& ids) {
  std::vector<std::string> all;
  for (const ir::ValueId id : ids) all.push_back(id == ir::kNoValue ? "" : graph.value(id).name);
  return all;
}

inline void expect_same(const ir::Graph& a, const ir::Graph& b, const std::string& who) {
  EXPECT_EQ(a.name, b.name) << who;
  expect_same(a.baggage, b.baggage, who);
  EXPECT_EQ(names(a, a.inputs), names(b, b.inputs)) << who;
  EXPECT_EQ(names(a, a.outputs), names(b, b.outputs)) << who;
  std::set<std::string> left, right;
  for (const ir::ValueId id : a.values()) left.insert(a.value(id).name);
  for (const ir::ValueId id : b.values()) right.insert(b.value(id).name);
  ASSERT_EQ(left, right) << who;
  for (const std::string& name : left)
    expect_same(a.value(a.find_value(name)), b.value(b.find_value(name)), who + " value " + name);
  ASSERT_EQ(a.nodes().size(), b.nodes().size()) << who;
  for (std::size_t i = 0; i < a.nodes().size(); ++i) {
    const ir::Node &m = a.node(a.nodes()[i]), &n = b.node(b.nodes()[i]);
    const std::string here = who + " node " + m.name;
    EXPECT_EQ(m.name, n.name) << here;
    EXPECT_EQ(m.name_made_up, n.name_made_up) << here;
    EXPECT_EQ(m.op_type, n.op_type) << here;
    EXPECT_EQ(m.domain, n.domain) << here;
    EXPECT_EQ(m.overload, n.overload) << here;
    EXPECT_EQ(names(a, m.inputs), names(b, n.inputs)) << here;
    EXPECT_EQ(names(a, m.outputs), names(b, n.outputs)) << here;
    expect_same(m.attributes, n.attributes, here);
    expect_same(m.baggage, n.baggage, here);
  }
}

inline void expect_same(const ir::Model& a, const ir::Model& b, const std::string& who) {
  EXPECT_EQ(a.ir_version, b.ir_version) << who;
  EXPECT_EQ(a.opsets, b.opsets) << who;
  EXPECT_EQ(a.producer_name, b.producer_name) << who;
  EXPECT_EQ(a.producer_version, b.producer_version) << who;
  EXPECT_EQ(a.domain, b.domain) << who;
  EXPECT_EQ(a.model_version, b.model_version) << who;
  expect_same(a.baggage, b.baggage, who);
  ASSERT_EQ(a.functions.size(), b.functions.size()) << who;
  for (std::size_t i = 0; i < a.functions.size(); ++i) {
    const ir::Function &f = a.functions[i], &g = b.functions[i];
    const std::string here = who + " function " + f.name;
    EXPECT_EQ(f.name, g.name) << here;
    EXPECT_EQ(f.domain, g.domain) << here;
    EXPECT_EQ(f.overload, g.overload) << here;
    EXPECT_EQ(f.attributes, g.attributes) << here;
    EXPECT_EQ(f.opsets, g.opsets) << here;
    expect_same(f.attribute_defaults, g.attribute_defaults, here);
    expect_same(f.baggage, g.baggage, here);
    expect_same(*f.body, *g.body, here);
  }
  expect_same(a.graph, b.graph, who);
}

}  // namespace pare::test
