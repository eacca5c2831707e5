#include "api/quality.h"

#include "api/model_impl.h"
#include "pare/error.h"

namespace pare::api {
namespace {

std::optional<Interval95> interval(const std::optional<eval::Interval>& given) {
  if (!given) return std::nullopt;
  return Interval95{given->low, given->high};
}

}  // namespace

Quality quality_of(const eval::Metrics& metrics) {
  return {metrics.samples,
          metrics.top1,
          metrics.top5,
          interval(metrics.top1_interval),
          metrics.loss,
          metrics.agreement,
          interval(metrics.agreement_interval),
          metrics.mse,
          metrics.mae,
          metrics.r2,
          metrics.snr_db};
}

std::shared_ptr<const data::Split> require_split(const Dataset& data, const std::string& name) {
  if (data.size(name) < 0) {
    throw Error(ErrorCode::kUsage, "split '" + name + "'", "the data description has none",
                "train, val or test with data", data.impl().dataset.description);
  }
  const data::Dataset& dataset = data.impl().dataset;
  return name == "train" ? dataset.train : name == "val" ? dataset.val : dataset.test;
}

std::int64_t batch_for(const ir::Model& model, std::int64_t asked) {
  for (ir::ValueId id : model.graph.inputs) {
    const ir::Shape& shape = model.graph.value(id).shape;
    if (shape.ranked() && shape.rank() > 0 && shape[0].is_known()) return shape[0].value();
  }
  return asked;
}

}  // namespace pare::api
