#include "runtime/activation.h"

#include <map>
#include <string_view>

namespace pare::runtime {

namespace {

using kernels::BinaryOp;
using kernels::UnaryOp;

/// Operators without parameters.
const std::map<std::string_view, UnaryOp> kPlain = {
    {"Relu", UnaryOp::kRelu},   {"Sigmoid", UnaryOp::kSigmoid},   {"HardSwish", UnaryOp::kHardSwish},
    {"Tanh", UnaryOp::kTanh},   {"Softplus", UnaryOp::kSoftplus}, {"Softsign", UnaryOp::kSoftsign},
    {"Mish", UnaryOp::kMish},   {"Erf", UnaryOp::kErf},           {"Exp", UnaryOp::kExp},
    {"Log", UnaryOp::kLog},     {"Sqrt", UnaryOp::kSqrt},         {"Reciprocal", UnaryOp::kReciprocal},
    {"Neg", UnaryOp::kNeg},     {"Abs", UnaryOp::kAbs},           {"Sign", UnaryOp::kSign},
    {"Floor", UnaryOp::kFloor}, {"Ceil", UnaryOp::kCeil},         {"Round", UnaryOp::kRound},
    {"Swish", UnaryOp::kSilu}};

const std::map<std::string_view, BinaryOp> kBinary = {
    {"Add", BinaryOp::kAdd},     {"Sub", BinaryOp::kSub}, {"Mul", BinaryOp::kMul},
    {"Div", BinaryOp::kDiv},     {"Min", BinaryOp::kMin}, {"Max", BinaryOp::kMax},
    {"PRelu", BinaryOp::kPRelu}, {"Pow", BinaryOp::kPow}, {"Sum", BinaryOp::kAdd}};

/// A bound of Clip: attribute before opset 11, input after it.
std::optional<float> clip_bound(const ir::Model& model, const ir::Node& node, const char* attribute, std::size_t slot,
                                float absent) {
  if (model.opset() < 11) return node.float_or(attribute, absent);
  if (node.input(slot) == ir::kNoValue) return absent;
  const Tensor* bound = model.graph.constant(node.input(slot));
  if (!bound || bound->dtype() != DType::kFloat32 || bound->numel() != 1) return std::nullopt;
  return bound->data<float>()[0];
}

}  // namespace

std::optional<Activation> activation_of(const ir::Model& model, const ir::Node& node) {
  if (!node.domain.empty()) return std::nullopt;
  const std::string& type = node.op_type;
  if (const auto plain = kPlain.find(type); plain != kPlain.end()) return Activation{plain->second, {}};
  if (type == "LeakyRelu") return Activation{UnaryOp::kLeakyRelu, {node.float_or("alpha", 0.01f), 0}};
  if (type == "Elu") return Activation{UnaryOp::kElu, {node.float_or("alpha", 1.0f), 0}};
  if (type == "Celu") return Activation{UnaryOp::kCelu, {node.float_or("alpha", 1.0f), 0}};
  if (type == "HardSigmoid")
    return Activation{UnaryOp::kHardSigmoid, {node.float_or("alpha", 0.2f), node.float_or("beta", 0.5f)}};
  if (type == "Gelu")
    return Activation{node.string_or("approximate", "none") == "tanh" ? UnaryOp::kGeluTanh : UnaryOp::kGelu, {}};
  if (type != "Clip") return std::nullopt;
  const auto lo = clip_bound(model, node, "min", 1, -kernels::kInfinity);
  const auto hi = clip_bound(model, node, "max", 2, kernels::kInfinity);
  if (!lo || !hi || *lo > *hi) return std::nullopt;
  return Activation{UnaryOp::kClip, {*lo, *hi}};
}

std::optional<kernels::BinaryOp> binary_of(const ir::Node& node) {
  const auto found = kBinary.find(node.op_type);
  if (!node.domain.empty() || found == kBinary.end() || node.inputs.size() != 2) return std::nullopt;
  return found->second;
}

std::optional<Clamp> clamp_of(const Activation& activation) {
  if (activation.op == UnaryOp::kRelu) return Clamp{0.0f, kernels::kInfinity};
  if (activation.op == UnaryOp::kClip) return Clamp{activation.params.alpha, activation.params.beta};
  return std::nullopt;
}

}  // namespace pare::runtime
