#include "ir/op.h"

#include <map>

#include "pare/error.h"

namespace pare::ir {
namespace ops {
#define PARE_OP(file, type) extern const Operator k##type;
#include "ir/ops/ops.inc"
#undef PARE_OP
}  // namespace ops

namespace {

const Operator* const kTable[] = {
#define PARE_OP(file, type) &ops::k##type,
#include "ir/ops/ops.inc"
#undef PARE_OP
};

const Operator* find_type(const Node& node) {
  static const auto* const index = [] {
    auto* out = new std::map<std::pair<std::string_view, std::string_view>, const Operator*>;
    for (const Operator* op : kTable) (*out)[{op->domain, op->op_type}] = op;
    return out;
  }();
  const auto found = index->find({node.domain, node.op_type});
  return found == index->end() ? nullptr : found->second;
}

}  // namespace

std::string describe(const Node& node) {
  const std::string type = node.domain.empty() ? node.op_type : node.domain + "." + node.op_type;
  return node.name.empty() ? type : type + " '" + node.name + "'";
}

const ValueFacts& InferContext::in(std::size_t slot) const {
  static const ValueFacts unknown;
  return slot < inputs.size() ? inputs[slot] : unknown;
}

void InferContext::fail(const std::string& problem, const std::string& expected, const std::string& got) const {
  throw Error(ErrorCode::kBadInput, describe(node), problem, expected, got);
}

void EvaluateContext::fail(const std::string& problem, const std::string& expected, const std::string& got) const {
  throw Error(ErrorCode::kBadInput, describe(node), problem, expected, got);
}

std::span<const Operator* const> operators() { return kTable; }

const Operator* find_operator(const Node& node, std::int64_t opset) {
  const Operator* op = find_type(node);
  return op != nullptr && opset >= op->since && opset <= op->until ? op : nullptr;
}

std::string why_unknown(const Node& node, std::int64_t opset) {
  const Operator* op = find_type(node);
  if (op == nullptr) return "unknown operator";
  const std::string number = "opset " + std::to_string(opset);
  if (opset > op->until) return number + " is newer than " + std::to_string(op->until);
  return number + " is older than " + std::to_string(op->since);
}

}  // namespace pare::ir
