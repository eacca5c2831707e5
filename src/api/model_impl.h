// Behind pare::Model, pare::Dataset and pare::Recipe: the internal types that the public ones hide.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "compress/recipe.h"
#include "data/dataset.h"
#include "ir/model.h"
#include "pack/packed.h"
#include "pare/dataset.h"
#include "pare/model.h"
#include "pare/recipe.h"

namespace pare {

struct Model::Impl {
  ir::Model model;  ///< shapes inferred
  std::string path;
  std::shared_ptr<const pack::PackedSections> packed;  ///< of its file, or nullptr
  std::string note;

  /// What executors get: simplified (BatchNorm folded, dead code gone). Made on first use.
  const ir::Model& prepared() const;
  /// What executors compile: prepared(), but a model with codebooks as it is, whose indices they may use.
  const ir::Model& executable() const;
  /// Whether executable() is simplified already.
  bool simplified() const;

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

Model wrap(ir::Model model, std::string path, std::shared_ptr<const pack::PackedSections> packed = nullptr);
/// What a data set must deliver for this model, and what it can be judged by.
data::ModelPorts ports_for_data(const ir::Model& model);
/// Throws Error(kBadInput) naming the first tensor with a harmful non-finite element, and how many.
void require_finite(const Model& model);

}  // namespace api
}  // namespace pare
