// Turns groups of nodes into steps. Lowerings (runtime/lower/, rows in lowerings.inc) use it to read and write values.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "exec/backend.h"
#include "ir/model.h"
#include "runtime/group.h"
#include "runtime/plan.h"
#include "runtime/weight_cache.h"

namespace pare::runtime {

/// What a step is called and why it was chosen.
struct StepNote {
  std::string kernel, reason;
  std::int64_t weight_bytes = 0;
  DType multiplies = DType::kUndefined;  ///< kInt8 for integer groups, else kFloat32, where it is not given
};

class Lowerer {
 public:
  /// `narrow`: values that products write in bfloat16 (narrow_values()).
  Lowerer(const ir::Model& model, const exec::CompileOptions& options, std::set<ir::ValueId> narrow, WeightCache& cache,
          Plan& plan)
      : model_(model), options_(options), narrow_(std::move(narrow)), cache_(cache), plan_(plan) {}

  void add_inputs();
  /// Emits the group's steps: its fused lowering, else its nodes one by one, else the scalar reference.
  void lower(const Group& group);
  /// Makes the value dense and records it for the observer as of now.
  void observe(ir::ValueId value);
  void finish();

  const ir::Model& model() const { return model_; }
  const ir::Graph& graph() const { return model_.graph; }
  const ir::Node& main(const Group& group) const { return graph().node(group.main()); }
  WeightCache& cache() { return cache_; }
  Tuner* tuner() const { return cache_.tuner(); }  ///< nullptr: by estimates
  bool exact() const { return cache_.exact(); }    ///< no sums that round more than a direct product's
  int threads() const { return options_.threads; }

  /// Concrete shape; throws Error(kUnsupported) naming the value where it depends on data.
  Dims dims(ir::ValueId value) const;
  DType dtype(ir::ValueId value) const { return graph().value(value).dtype; }
  /// The value as a tensor when it is constant, dequantized where it is a DequantizeLinear of a constant; undefined
  /// otherwise.
  Tensor constant(ir::ValueId value);
  /// Layout in which the value lies in memory already (both for shapes where they are the same bytes: see same_bytes).
  Layout stored(ir::ValueId value) const;

  /// The value's buffer in the layout; converts where needed. Only rank-4 values have kChannelsLast.
  BufferId read(ir::ValueId value, Layout layout = Layout::kOnnx);
  /// As read() with ones prepended to the shape up to `rank`.
  BufferId read_padded(ir::ValueId value, std::size_t rank, Layout layout);
  BufferId write(ir::ValueId value, Layout layout = Layout::kOnnx);

  /// Products of float32 layers run in bfloat16.
  bool narrow_products() const { return options_.precision == DType::kBFloat16; }
  /// All readers of the value take it in bfloat16.
  bool is_narrow(ir::ValueId value) const { return narrow_.contains(value); }
  /// The value is held in bfloat16 now.
  bool lies_narrow(ir::ValueId value) const;
  /// The float32 value in bfloat16; converts where needed. read() gives it back in float32.
  BufferId read_narrow(ir::ValueId value, Layout layout = Layout::kOnnx);
  BufferId write_narrow(ir::ValueId value, Layout layout = Layout::kOnnx);
  BufferId scratch(std::size_t bytes);
  /// The step that writes `out` runs fastest where it lies in the memory of `of`, element by element; it must stay
  /// right where it does not.
  void take_over(BufferId out, BufferId of);
  /// `value` is the memory of `of`, whose layout must be kOnnx or of the same bytes.
  void alias(ir::ValueId value, BufferId of, Layout layout = Layout::kOnnx);

  /// The step stays where it is until the next one is emitted.
  Step& emit(const Group& group, StepNote note, std::vector<BufferId> reads, std::vector<BufferId> writes,
             std::function<void(const Frame&)> run);
  void keep(std::shared_ptr<const void> packed) { plan_.kept.push_back(std::move(packed)); }

 private:
  BufferId add_buffer(Buffer buffer);
  BufferId add_constant(const std::string& name, const Tensor& tensor, const Dims& dims, Layout layout);
  BufferId convert(BufferId from, Layout layout);
  BufferId convert_type(BufferId from, DType type, const std::string& reason);
  void dequantize(ir::ValueId value);
  std::optional<std::string> lower_fused(const Group& group);
  void lower_by_reference(const Group& group, const std::string& reason);
  const Buffer& buffer(BufferId id) const { return plan_.buffers[static_cast<std::size_t>(id)]; }

  const ir::Model& model_;
  const exec::CompileOptions& options_;
  std::set<ir::ValueId> narrow_;
  WeightCache& cache_;
  Plan& plan_;
  std::map<std::pair<ir::ValueId, Layout>, BufferId> buffers_;
  std::map<std::pair<ir::ValueId, Layout>, BufferId> narrow_buffers_;  ///< float32 values held in bfloat16
};

/// Both layouts are the same bytes: one channel, or one pixel.
bool same_bytes(const Dims& dims) noexcept;
/// Axis sizes as they lie in memory.
Dims physical(const Dims& dims, Layout layout);
/// Where an ONNX axis lies in memory.
std::int64_t physical_axis(std::int64_t axis, Layout layout) noexcept;

/// A row of lowerings.inc. Returns why this group cannot be lowered so, having emitted nothing; nullopt: done.
struct Lowering {
  std::string_view op_type;
  std::optional<std::string> (*lower)(Lowerer&, const Group&);
  std::string_view domain = "";
};
const Lowering* find_lowering(const ir::Node& node);

}  // namespace pare::runtime
