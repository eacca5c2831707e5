#include <algorithm>
#include <set>

#include "eval/compare.h"
#include "pare/error.h"

namespace pare::eval {

namespace {

std::string text_of(const ir::Value& value) {
  return "'" + value.name + "' " + std::string(name(value.dtype)) + " " + ir::to_string(value.shape);
}

bool compatible(const ir::Value& a, const ir::Value& b) {
  const bool types = a.dtype == b.dtype || (is_float(a.dtype) && is_float(b.dtype));
  return types && ir::merge(a.shape, b.shape).has_value();
}

std::string list_of(const ir::Graph& graph, const std::vector<ir::ValueId>& ids) {
  std::string text;
  for (ir::ValueId id : ids) text += (text.empty() ? "" : ", ") + text_of(graph.value(id));
  return text;
}

}  // namespace

std::map<std::string, std::string> match_ports(const ir::Model& a, const ir::Model& b, bool inputs) {
  const std::vector<ir::ValueId>& as = inputs ? a.graph.inputs : a.graph.outputs;
  const std::vector<ir::ValueId>& bs = inputs ? b.graph.inputs : b.graph.outputs;
  const std::string kind = inputs ? "input" : "output";
  if (as.size() != bs.size())
    throw Error(ErrorCode::kBadInput, kind + "s", "the models differ in their number", list_of(a.graph, as),
                list_of(b.graph, bs));
  std::map<std::string, std::string> matched;
  std::set<std::string> taken;
  for (ir::ValueId id : as) {
    const std::string& name = a.graph.value(id).name;
    if (std::none_of(bs.begin(), bs.end(), [&](ir::ValueId other) { return b.graph.value(other).name == name; }))
      continue;
    matched[name] = name;
    taken.insert(name);
  }
  for (std::size_t i = 0; i < as.size(); ++i) {
    const std::string& name = a.graph.value(as[i]).name;
    if (!matched.contains(name) && taken.insert(b.graph.value(bs[i]).name).second)
      matched[name] = b.graph.value(bs[i]).name;
  }
  for (ir::ValueId id : as) {
    const ir::Value& value = a.graph.value(id);
    const auto found = matched.find(value.name);
    if (found == matched.end())
      throw Error(ErrorCode::kBadInput, value.name, "the second model has no such " + kind, text_of(value),
                  list_of(b.graph, bs));
    const ir::Value& other = b.graph.value(b.graph.find_value(found->second));
    if (!compatible(value, other))
      throw Error(ErrorCode::kBadInput, value.name, "the models differ in this " + kind, text_of(value),
                  text_of(other));
  }
  return matched;
}

}  // namespace pare::eval
