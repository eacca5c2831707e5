#include "pare/session.h"

#include "api/model_impl.h"
#include "base/threads.h"
#include "eval/measure.h"
#include "ir/infer.h"
#include "runtime/runtime.h"

namespace pare {

struct Session::Impl {
  int threads;
  std::unique_ptr<exec::Executor> executor;
};

Session::Session(const Model& model, const SessionOptions& options) : impl_(std::make_unique<Impl>()) {
  exec::CompileOptions compile;
  compile.threads = impl_->threads = resolve_threads(options.execution.threads);
  compile.float_qdq = options.float_qdq;
  compile.precision = options.precision;
  compile.packed = model.impl().packed;
  compile.simplified = model.impl().simplified();
  compile.max_memory = options.execution.max_memory;
  impl_->executor =
      runtime::backend({.tuned = options.tune, .exact = options.exact}).compile(model.impl().executable(), compile);
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

NamedTensors Session::run(const NamedTensors& inputs) {
  ThreadScope threads(impl_->threads);
  return impl_->executor->run(inputs);
}

NamedTensors random_inputs(const Model& model, std::int64_t batch, const InputShapes& shapes, std::uint64_t seed) {
  const ir::Model& prepared = model.impl().prepared();
  return eval::random_inputs(prepared, ir::input_shapes_for(prepared, batch, shapes), seed);
}

}  // namespace pare
