#include "compress/method.h"

#include <algorithm>

#include "base/text.h"
#include "pare/error.h"

namespace pare::compress {

#define PARE_METHOD(file, function) const Method& function();
#include "compress/methods.inc"
#undef PARE_METHOD

std::span<const Method* const> methods() {
  static const Method* const table[] = {
#define PARE_METHOD(file, function) &function(),
#include "compress/methods.inc"
#undef PARE_METHOD
  };
  return table;
}

const Method& find_method(std::string_view step, std::string_view name, const std::string& subject) {
  const std::string path = subject.empty() ? std::string(step) : subject;
  std::vector<std::string> steps, names;
  for (const Method* method : methods()) {
    if (method->step == step && (name.empty() || method->name == name)) return *method;
    if (std::find(steps.begin(), steps.end(), method->step) == steps.end()) steps.emplace_back(method->step);
    if (method->step == step) names.emplace_back(method->name);
  }
  if (names.empty())
    throw Error(ErrorCode::kUsage, path, "unknown step" + did_you_mean(step, steps), join(steps, ", "));
  throw Error(ErrorCode::kUsage, path + ".method", "unknown method" + did_you_mean(name, names),
              names == std::vector<std::string>{""} ? "no key 'method'" : join(names, ", "), std::string(name));
}

}  // namespace pare::compress
