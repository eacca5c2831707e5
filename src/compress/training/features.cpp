#include "compress/training/features.h"

#include "compress/targets.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

[[noreturn]] void refuse(const std::string& subject, const std::string& what, const std::string& expected,
                         const std::string& found) {
  throw Error(ErrorCode::kUsage, subject + ".features", what, expected, found);
}

std::string type_of(const ir::Value& value) {
  return std::string(name(value.dtype)) + " " + ir::to_string(value.shape);
}

}  // namespace

std::vector<Option> feature_options() {
  using enum OptionType;
  return {
      {"features", kStrings, "[]",
       "nodes whose outputs are to become the teacher's too: names, globs, operator types (SquareHead, Kurtic et al. "
       "2023)"},
      {"feature_weight", kFloat, "1", "weight of the features' relative squared error", {}, 0, 1e6}};
}

bool same_kind(const ir::Value& student, const ir::Value& teacher) {
  if (student.dtype != teacher.dtype) return false;
  if (!student.shape.ranked() || !teacher.shape.ranked()) return true;
  if (student.shape.rank() != teacher.shape.rank()) return false;
  for (std::int64_t axis = 0; axis < student.shape.rank(); ++axis) {
    const ir::Dim &a = student.shape[axis], &b = teacher.shape[axis];
    if (a.is_known() && b.is_known() && a != b) return false;
  }
  return true;
}

std::vector<std::string> feature_names(const ir::Graph& student, const ir::Graph& teacher,
                                       const nlohmann::json& distill, const std::string& subject) {
  const auto selectors = distill.at("features").get<std::vector<std::string>>();
  if (selectors.empty()) return {};
  if (!distill.at("alpha").is_null() && distill.at("alpha").get<double>() == 0)
    refuse(subject, "need a teacher", "alpha > 0", "alpha 0");
  const std::vector<ir::NodeId>& nodes = teacher.nodes();
  const auto chosen = select_nodes(teacher, find_layers(teacher), nodes, selectors, subject + ".features");
  std::vector<std::string> names;
  for (const ir::NodeId id : nodes) {
    if (!chosen.contains(id)) continue;
    const ir::Value& theirs = teacher.value(teacher.node(id).outputs.at(0));
    const ir::ValueId own = student.find_value(theirs.name);
    if (own == ir::kNoValue) refuse(subject, "the model has no value '" + theirs.name + "'", "as the teacher", "none");
    if (theirs.dtype != DType::kFloat32 || (theirs.shape.ranked() && theirs.shape.rank() == 0))
      refuse(subject, "value '" + theirs.name + "' cannot be compared", "float32 [N, …]", type_of(theirs));
    if (!same_kind(student.value(own), theirs))
      refuse(subject, "value '" + theirs.name + "' differs in shape", "the teacher's " + type_of(theirs),
             type_of(student.value(own)));
    names.push_back(theirs.name);
  }
  return names;
}

}  // namespace pare::compress
