// Behind pare::Model, pare::Dataset and pare::Recipe: the internal types that the public ones hide.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "compress/recipe.h"
#include "data/dataset.h"
#include "ir/model.h"
#include "pare/dataset.h"
#include "pare/model.h"
#include "pare/recipe.h"

namespace pare {

struct Model::Impl {
  ir::Model model;  ///< shapes inferred
  std::string path;

  /// What executors get: simplified (BatchNorm folded, dead code gone). Made on first use.
  const ir::Model& prepared() const;

 private:
  mutable std::once_flag once_;
  mutable std::optional<ir::Model> prepared_;
};

struct Dataset::Impl {
  data::Dataset dataset;
};

struct Recipe::Impl {
  compress::Recipe recipe;
};

namespace api {

Model wrap(ir::Model model, std::string path);
/// What a data set must deliver for this model.
std::vector<data::InputSpec> input_specs(const ir::Model& model);
/// Classes of the first output, 0 when its last axis is not known.
std::int64_t output_classes(const ir::Model& model);
/// Throws Error(kBadInput) naming the first tensor with a harmful non-finite element, and how many.
void require_finite(const Model& model);

}  // namespace api
}  // namespace pare
