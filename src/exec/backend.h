// Running a model forward: what a backend accepts, compiles and runs. No implementation lives here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/packed.h"
#include "ir/model.h"
#include "ir/refusal.h"
#include "pare/control.h"

namespace pare::exec {

using Refusal = ir::Refusal;

struct CompileOptions {
  int threads = 1;  ///< resolved, > 0
  /// Values that must exist as tensors of their own at run time, so that observe() can see them (limits fusion).
  std::vector<std::string> observed;
  /// Run QDQ exactly as written (DequantizeLinear → float operator → QuantizeLinear) instead of by integers: for
  /// checks.
  bool float_qdq = false;
  /// kBFloat16: float32 products with constant weights multiply in bfloat16 and sum in float32.
  DType precision = DType::kFloat32;
  std::int64_t max_memory = 0;                  ///< bytes, 0: no limit
  bool simplified = false;                      ///< the model is what passes::simplify() makes: it need not run again
  std::shared_ptr<const PackedWeights> packed;  ///< of the model's file, or nullptr
};

/// One executed step of a plan, for `pare inspect --plan` and profiles.
struct PlanStep {
  std::string kernel;              ///< "conv_f32__onednn", "qconv_u8s8__avx2_madd"
  std::vector<std::string> nodes;  ///< the graph nodes it covers, the main one first
  std::string op_type;             ///< of the main node
  std::string output;              ///< name of the value it writes
  Dims output_dims;
  std::string reason;  ///< why this kernel
  std::int64_t macs = 0;
  std::int64_t weight_bytes = 0;  ///< as held in memory
  DType multiplies = DType::kFloat32;  ///< the type of its products: kFloat32, kBFloat16 or kInt8
};

struct StepTime {
  std::size_t step;
  double median_ms;
};

struct MemoryUse {
  std::int64_t weights = 0, arena = 0;
};  ///< bytes

/// Sees a value as it is produced; the tensor is only valid during the call.
using Observer = std::function<void(const std::string& value, const Tensor& tensor)>;

/// A compiled model. run() is thread-safe: each call uses its own arena. Plans are made per input shapes and cached.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Throws Error(kBadInput) naming the input (missing, unknown, wrong dtype, rank or size; expected and got).
  virtual NamedTensors run(const NamedTensors& inputs) = 0;
  /// As run(), and calls the observer for every value in CompileOptions::observed.
  virtual NamedTensors observe(const NamedTensors& inputs, const Observer& observer) = 0;
  virtual std::vector<PlanStep> plan(const std::map<std::string, Dims>& input_shapes) = 0;
  /// Median time of each step over `repeats` runs. Steps whose shapes depend on data are planned by a run, so plan()
  /// lists them as they are counted here only afterwards.
  virtual std::vector<StepTime> profile(const NamedTensors& inputs, int repeats) = 0;
  virtual MemoryUse memory(const std::map<std::string, Dims>& input_shapes) = 0;
  /// What the plans made so far have packed.
  virtual std::vector<PackedBlob> packed_weights() const { return {}; }
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;
  /// Every node that cannot run, all at once; empty: compile() will succeed.
  virtual std::vector<Refusal> refusals(const ir::Model& model) const = 0;
  /// Throws Error(kUnsupported) listing all refusals.
  virtual std::unique_ptr<Executor> compile(const ir::Model& model, const CompileOptions& options) const = 0;
};

/// Reads and writes model files; src/onnx implements it, so that compress never sees protobuf.
class ModelStore {
 public:
  virtual ~ModelStore() = default;
  virtual ir::Model load(const std::string& path) const = 0;
  /// Atomic. Large tensors go beside it as `<name>.data` when the file would pass 2 GB.
  virtual void save(const ir::Model& model, const std::string& path) const = 0;
  /// The content of the model as one ONNX file, in order and piece by piece: nothing is assembled, so that models of
  /// any size can be hashed and measured, those too that no single file can hold.
  virtual void visit_content(const ir::Model& model, const std::function<void(std::string_view)>& visit) const = 0;
};

}  // namespace pare::exec
