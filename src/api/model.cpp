#include "pare/model.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "api/model_impl.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/text.h"
#include "ir/codebook.h"
#include "ir/infer.h"
#include "ir/judged.h"
#include "ir/verify.h"
#include "onnx/onnx_file.h"
#include "pack/pare_file.h"
#include "pare/error.h"
#include "passes/pass.h"
#include "passes/rewrite.h"
#include "runtime/runtime.h"

namespace pare {
namespace {

PortInfo port(const ir::Graph& graph, ir::ValueId id) {
  const ir::Value& value = graph.value(id);
  PortInfo info{value.name, value.dtype, value.shape.ranked(), {}};
  for (const ir::Dim& dim : value.shape.dims()) info.dims.push_back(ir::to_string(dim));
  return info;
}

std::vector<PortInfo> ports(const ir::Graph& graph, const std::vector<ir::ValueId>& ids) {
  std::vector<PortInfo> infos;
  for (ir::ValueId id : ids) infos.push_back(port(graph, id));
  return infos;
}

/// The error of a part of a model with the file named before it.
template <class F>
void naming(const std::string& subject, F&& work) {
  try {
    work();
  } catch (const Error& error) {
    if (std::string(error.what()).starts_with(subject)) throw;
    throw Error(error.code(), subject, error.what());
  }
}

void complete(ir::Model& model) {
  passes::require_no_recursion(model);  // wherever it would show only when a command inlines
  ir::infer_shapes(model);
}

}  // namespace

const ir::Model& Model::Impl::prepared() const {
  std::call_once(once_, [this] {
    ir::Model copy = model;
    passes::simplify(copy, true, true);
    prepared_ = std::move(copy);
  });
  return *prepared_;
}

bool Model::Impl::simplified() const { return !ir::has_codebooks(model.graph); }

const ir::Model& Model::Impl::executable() const { return simplified() ? prepared() : model; }

Model Model::load(const std::string& path) {
  pack::ModelFile file = pack::read_file(path);
  naming(path, [&] { complete(file.model); });
  return api::wrap(std::move(file.model), path, std::move(file.packed));
}

Model Model::parse(std::string bytes, const std::string& name) {
  ir::Model model = pack::parse_model(std::move(bytes), name);
  naming(name, [&] { complete(model); });
  return api::wrap(std::move(model), {});
}

const std::string& Model::path() const noexcept { return impl_->path; }

std::vector<PortInfo> Model::inputs() const { return ports(impl_->model.graph, impl_->model.graph.inputs); }

std::vector<PortInfo> Model::outputs() const { return ports(impl_->model.graph, impl_->model.graph.outputs); }

std::int64_t Model::opset() const { return impl_->model.opset(); }

std::int64_t Model::ir_version() const { return impl_->model.ir_version; }

std::int64_t Model::bytes() const {
  std::error_code error;
  const auto file = impl_->path.empty() ? 0 : static_cast<std::int64_t>(fs::file_size(impl_->path, error));
  if (file <= 0 || error) return static_cast<std::int64_t>(onnx::serialized_size(impl_->model));
  if (pack::is_pare_path(impl_->path)) return file;  // coded, so smaller than its data
  std::int64_t data = 0;
  const ir::Graph& graph = impl_->model.graph;
  for (ir::ValueId id : graph.values()) {
    if (const Tensor* constant = graph.constant(id)) data += static_cast<std::int64_t>(constant->bytes());
  }
  return data <= file
             ? file
             : static_cast<std::int64_t>(onnx::serialized_size(impl_->model));  // less than its data: some lies outside
}

std::string Model::serialize() const { return onnx::serialize_model(impl_->model); }

const std::string& Model::note() const noexcept { return impl_->note; }

void Model::save(const std::string& path, bool force) const {
  refuse_to_overwrite(path, force);
  pack::write_model(impl_->model, path);
}

void Model::save_packed(const std::string& path, const InputShapes& shapes, bool force) const {
  refuse_to_overwrite(path, force);
  if (!pack::is_pare_path(path))
    throw Error(ErrorCode::kUsage, path, "only .pare files are packed", "a name that ends in .pare");
  const std::string isa(pare::name(active_isa()));
  const ir::Model& prepared = impl_->prepared();
  const auto executor = runtime::backend().compile(impl_->executable(), {.threads = 1, .simplified = impl_->simplified()});
  executor->plan(ir::input_shapes_for(prepared, 1, shapes));
  pack::WriteOptions options{.stored = true, .packed = {}};
  if (impl_->packed) options.packed = impl_->packed->others(isa);
  options.packed.push_back({isa, executor->packed_weights()});
  pack::write_model(impl_->model, path, options);
}

namespace api {

Model wrap(ir::Model model, std::string path, std::shared_ptr<const pack::PackedSections> packed) {
  auto impl = std::make_shared<Model::Impl>();
  impl->model = std::move(model);
  impl->path = std::move(path);
  if (packed && !packed->fits() && !impl->path.empty())
    impl->note = impl->path + ": packed for " + join(packed->isas(), ", ") + ", not for " +
                 std::string(pare::name(active_isa())) + "; its weights are packed anew";
  impl->packed = std::move(packed);
  return Model(std::move(impl));
}

data::ModelPorts ports_for_data(const ir::Model& model) {
  const auto spec_of = [&](ir::ValueId id) {
    const ir::Value& value = model.graph.value(id);
    data::PortSpec spec{value.name, value.dtype, {}};
    for (const ir::Dim& dim : value.shape.dims()) spec.dims.push_back(dim.is_known() ? dim.value() : -1);
    return spec;
  };
  data::ModelPorts ports;
  for (ir::ValueId id : model.graph.inputs) ports.inputs.push_back(spec_of(id));
  for (ir::ValueId id : ir::judgeable_outputs(model.graph)) ports.outputs.push_back(spec_of(id));
  return ports;
}

}  // namespace api
}  // namespace pare
