#include "report/record.h"

#include "pare/error.h"

namespace pare::report {

namespace {

[[noreturn]] void fail(const std::string& problem, const std::string& expected = {}, const std::string& got = {}) {
  throw Error(ErrorCode::kBadInput, "run record", problem, expected, got);
}

void require_kind(const Json& run, const char* key, Json::value_t kind, const char* name) {
  const Json& member = at(run, {key});
  if (!member.is_null() && member.type() != kind)
    fail(std::string("member '") + key + "' has the wrong kind", name, member.type_name());
}

}  // namespace

const Json& at(const Json& object, std::initializer_list<const char*> keys) {
  static const Json kNull;
  const Json* here = &object;
  for (const char* key : keys) {
    if (!here->is_object()) return kNull;
    const auto found = here->find(key);
    if (found == here->end()) return kNull;
    here = &*found;
  }
  return *here;
}

std::optional<double> number(const Json& object, std::initializer_list<const char*> keys) {
  const Json& member = at(object, keys);
  return member.is_number() ? std::optional<double>(member.get<double>()) : std::nullopt;
}

std::string text(const Json& object, std::initializer_list<const char*> keys) {
  const Json& member = at(object, keys);
  if (member.is_string()) return member.get<std::string>();
  return member.is_null() ? "" : member.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<Json> list(const Json& object, const char* key) {
  const Json& member = at(object, {key});
  return member.is_array() ? member.get<std::vector<Json>>() : std::vector<Json>();
}

std::string headline_split(const Json& run) {
  for (const char* split : {"test", "val"})
    if (at(run, {"before", split}).is_object() || at(run, {"after", split}).is_object()) return split;
  return "test";
}

std::string metric_title(const std::string& metric) {
  if (metric == "top1") return "Top-1 accuracy";
  if (metric == "top5") return "Top-5 accuracy";
  if (metric == "agreement") return "Agreement with the original";
  if (metric == "r2") return "R² (variance explained)";
  return metric.empty() ? "Metric" : metric;
}

std::optional<double> metric_of(const Json& run, const Json& summary, const std::string& split) {
  return number(at(summary, {split.c_str()}), {text(run, {"metric"}).c_str()});
}

Json parse_record(std::string_view run_json) {
  Json run;
  try {
    run = Json::parse(run_json);
  } catch (const Json::exception& error) {
    fail(std::string("is not JSON: ") + error.what());
  }
  if (!run.is_object()) fail("is not a JSON object", "an object", run.type_name());
  if (text(run, {"format"}) != "pare-run")
    fail("is not a run record of Pare", "\"format\": \"pare-run\"", text(run, {"format"}));
  if (number(run, {"version"}) != 1.0) fail("has an unknown version", "1", text(run, {"version"}));
  for (const char* key : {"model", "data", "environment", "before", "after", "gate", "outputs"})
    require_kind(run, key, Json::value_t::object, "an object");
  for (const char* key : {"steps", "layers", "notes"}) require_kind(run, key, Json::value_t::array, "an array");
  for (const char* key : {"steps", "layers"})
    for (const Json& entry : list(run, key))
      if (!entry.is_object())
        fail(std::string("member '") + key + "' holds something else than objects", "objects", entry.type_name());
  return run;
}

}  // namespace pare::report
