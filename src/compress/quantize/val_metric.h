// The metric that decides, of any model on val: what accuracy-aware choices are made by.
#pragma once

#include <memory>
#include <string>

#include "compress/method.h"

namespace pare::compress {

class ValMetric {
 public:
  /// `limit`: samples of val that are looked at; 0: all. The first ones, so that models are judged by the same.
  explicit ValMetric(const StepContext& context, std::int64_t limit = 0);

  /// "top1", "r2", or "agreement" with the recipe's original.
  const std::string& name() const noexcept { return metric_; }
  std::int64_t samples() const noexcept { return samples_; }
  /// Percent, on the backend that ships the model. Error(kUsage) naming `subject` where the metric says nothing.
  double of(const ir::Model& model, const std::string& subject, const std::string& stage) const;

 private:
  const StepContext& context_;
  std::string metric_;
  std::int64_t samples_, limit_;
  std::unique_ptr<exec::Executor> reference_;
};

}  // namespace pare::compress
