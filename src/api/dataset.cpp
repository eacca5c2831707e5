#include "pare/dataset.h"

#include "api/model_impl.h"
#include "pare/error.h"

namespace pare {
namespace {

const data::Split* split_of(const data::Dataset& dataset, const std::string& name) {
  if (name == "train") return dataset.train.get();
  if (name == "val") return dataset.val.get();
  if (name == "test") return dataset.test.get();
  throw Error(ErrorCode::kUsage, "split", "no such split", "train, val or test", name);
}

}  // namespace

Dataset::Dataset() : impl_(std::make_shared<Impl>()) {}

Dataset Dataset::open(const std::string& yaml, const Model& model) {
  auto impl = std::make_shared<Impl>();
  const ir::Model& ir_model = model.impl().model;
  impl->dataset = data::open_dataset(yaml, api::ports_for_data(ir_model));
  return Dataset(std::move(impl));
}

bool Dataset::empty() const noexcept {
  const data::Dataset& dataset = impl_->dataset;
  return !dataset.train && !dataset.val && !dataset.test;
}

const std::string& Dataset::description() const noexcept { return impl_->dataset.description; }

std::int64_t Dataset::size(const std::string& split) const {
  const data::Split* found = split_of(impl_->dataset, split);
  return found ? found->size() : -1;
}

bool Dataset::labelled(const std::string& split) const {
  const data::Split* found = split_of(impl_->dataset, split);
  return found && found->labelled();
}

std::vector<FormatInfo> dataset_formats() {
  std::vector<FormatInfo> formats;
  for (const data::ReaderInfo& reader : data::readers()) formats.push_back({reader.name, reader.summary});
  return formats;
}

}  // namespace pare
