// Attribute access of Node and operator-set access of Model.
#include "ir/model.h"
#include "pare/error.h"

namespace pare::ir {

namespace {

/// The attribute's value as T; `fallback` when absent; an error when it is of another kind.
template <class T>
T attribute_or(const Node& node, const std::string& name, T fallback, const char* kind) {
  const Attribute* attribute = node.find(name);
  if (!attribute) return fallback;
  if (const T* value = std::get_if<T>(&attribute->value)) return *value;
  throw Error(ErrorCode::kBadInput, node.name, "attribute '" + name + "' of " + node.op_type + " has the wrong kind",
              kind);
}

}  // namespace

const Attribute* Node::find(const std::string& attribute) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? nullptr : &found->second;
}

std::int64_t Node::int_or(const std::string& attribute, std::int64_t fallback) const {
  return attribute_or(*this, attribute, fallback, "an integer");
}

float Node::float_or(const std::string& attribute, float fallback) const {
  return attribute_or(*this, attribute, fallback, "a float");
}

std::string Node::string_or(const std::string& attribute, const std::string& fallback) const {
  return attribute_or(*this, attribute, fallback, "a string");
}

std::vector<std::int64_t> Node::ints_or(const std::string& attribute, std::vector<std::int64_t> fallback) const {
  return attribute_or(*this, attribute, std::move(fallback), "a list of integers");
}

std::vector<float> Node::floats_or(const std::string& attribute, std::vector<float> fallback) const {
  return attribute_or(*this, attribute, std::move(fallback), "a list of floats");
}

void Node::set(const std::string& attribute, AttributeValue value) { attributes[attribute].value = std::move(value); }

std::int64_t Model::opset(const std::string& domain) const {
  const auto found = opsets.find(domain);
  return found == opsets.end() ? 0 : found->second;
}

}  // namespace pare::ir
