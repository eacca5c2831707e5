// Parts of expansions that several operators share.
#include <cmath>
#include <numeric>

#include "ir/expansion.h"

namespace pare::ir {

ValueId Expansion::gelu(ValueId x) {
  if (opset_ >= 20) return add("Gelu", {x});
  const DType dtype = facts(0).dtype;
  const ValueId erf = add("Erf", {add("Mul", {x, scalar(std::sqrt(0.5), dtype)})});
  return add("Mul", {add("Mul", {x, scalar(0.5, dtype)}), add("Add", {erf, scalar(1, dtype)})});
}

ValueId Expansion::normalized(ValueId x, double epsilon, bool mean) {
  DType dtype = DType::kFloat32;  // embeddings: ids come first, and 8-bit tables are float32 behind them
  for (std::size_t slot : {2, 0})
    if (is_float(facts(slot).dtype)) dtype = facts(slot).dtype;
  const ValueId centred = mean ? add("Sub", {x, reduce("ReduceMean", x, {-1})}) : x;
  const ValueId variance = reduce("ReduceMean", add("Mul", {centred, centred}), {-1});
  return add("Div", {centred, add("Sqrt", {add("Add", {variance, scalar(epsilon, dtype)})})});
}

ValueId Expansion::activation(ValueId x, const std::vector<float>& params) {
  const std::string name = node_.string_or("activation", "");
  const auto param = [&](std::size_t i, float fallback) { return i < params.size() ? params[i] : fallback; };
  if (name.empty()) return x;
  if (name == "Relu" || name == "Tanh" || name == "Sigmoid") return add(name, {x});
  if (name == "LeakyRelu") return add(name, {x}, {{"alpha", param(0, 0.01F)}});
  if (name == "HardSigmoid") return add(name, {x}, {{"alpha", param(0, 0.2F)}, {"beta", param(1, 0.5F)}});
  if (name == "Clip") {
    const DType dtype = facts(0).dtype;
    return add(name, {x, scalar(param(0, -INFINITY), dtype), scalar(param(1, INFINITY), dtype)});
  }
  unsupported("activation '" + name + "'");
}

ValueId Expansion::channels_first(ValueId x, bool last, std::size_t slot) {
  if (!last) return x;
  std::vector<std::int64_t> perm(static_cast<std::size_t>(rank(slot)));
  std::iota(perm.begin() + 2, perm.end(), 1);
  perm[1] = rank(slot) - 1;
  return transpose(x, perm);
}

ValueId Expansion::channels_last(ValueId x, bool last, std::size_t slot) {
  if (!last) return x;
  std::vector<std::int64_t> perm(static_cast<std::size_t>(rank(slot)));
  std::iota(perm.begin() + 1, perm.end(), 2);
  perm.back() = 1;
  return transpose(x, perm);
}

Expansion::NamedAttributes Expansion::own(const std::vector<const char*>& names) const {
  NamedAttributes set;
  for (const char* name : names)
    if (const Attribute* given = node_.find(name)) set.emplace_back(name, given->value);
  return set;
}

}  // namespace pare::ir
