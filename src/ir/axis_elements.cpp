#include "ir/axis_elements.h"

#include <set>
#include <string>

#include "ir/infer.h"
#include "pare/error.h"

namespace pare::ir {
namespace {

/// Some float value has a dimension of which not even a name is known.
bool has_unknown(const Model& model, const std::vector<ValueFacts>& facts) {
  for (ValueId id : model.graph.values()) {
    const ValueFacts& fact = facts[static_cast<std::size_t>(id)];
    if (!is_float(fact.dtype) || !fact.shape.ranked()) continue;
    for (const Dim& dim : fact.shape.dims())
      if (dim.is_unknown()) return true;
  }
  return false;
}

/// Small primes that are no size in the model.
std::vector<std::int64_t> unused_primes(const Model& model, const std::vector<ValueFacts>& facts) {
  std::set<std::int64_t> sizes;
  for (ValueId id : model.graph.values())
    for (const Shape& shape = facts[static_cast<std::size_t>(id)].shape; const Dim& dim : shape.dims())
      if (shape.ranked() && dim.is_known()) sizes.insert(dim.value());
  std::vector<std::int64_t> primes;
  for (const std::int64_t prime : {3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73})
    if (!sizes.count(prime)) primes.push_back(prime);
  return primes;
}

}  // namespace

std::vector<ValueFacts> facts_for_walk(const Model& model) {
  std::vector<ValueFacts> symbolic = infer_for(model, {});
  if (!has_unknown(model, symbolic)) return symbolic;
  const std::vector<std::int64_t> primes = unused_primes(model, symbolic);
  std::map<std::string, std::int64_t> by_symbol;
  std::size_t used = 0;
  std::map<std::string, Dims> shapes;
  for (ValueId input : model.graph.inputs) {
    const Value& value = model.graph.value(input);
    if (!value.shape.ranked()) return symbolic;
    Dims dims;
    for (const Dim& dim : value.shape.dims()) {
      if (dim.is_known()) {
        dims.push_back(dim.value());
        continue;
      }
      if (used == primes.size()) return symbolic;
      const auto [found, fresh] =
          by_symbol.try_emplace(dim.is_symbol() ? dim.name() : "?" + std::to_string(used), primes[used]);
      used += fresh ? 1 : 0;
      dims.push_back(found->second);
    }
    shapes[value.name] = dims;
  }
  try {
    return infer_for(model, shapes);
  } catch (const Error&) {  // such sizes do not fit the model: images that are too small
    return symbolic;
  }
}

}  // namespace pare::ir
