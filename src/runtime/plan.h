// What a model becomes for one set of input shapes: buffers, and steps that read and write them.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/huge_memory.h"
#include "exec/backend.h"
#include "kernels/kernel.h"
#include "kernels/sppanel/values.h"

namespace pare::runtime {

using BufferId = int;
inline constexpr BufferId kNoBuffer = -1;

/// kOnnx: dense row-major. kChannelsLast: a rank-4 value [N, C, H, W] stored as N, H, W, C. kPanels: as
/// runtime/panels.h lays a value.
enum class Layout { kOnnx, kChannelsLast, kPanels };

struct Buffer {
  enum class Home {
    kArena,     ///< at `offset` of the arena, from step `first` to step `last`
    kConstant,  ///< `constant`
    kInput,     ///< the caller's tensor `input`
    kAlias,     ///< the memory of `alias_of` under another shape or layout
  };
  std::string name;  ///< of the graph's value; "" for scratch
  DType dtype = DType::kUndefined;
  Dims dims;  ///< ONNX order, whatever the layout
  Layout layout = Layout::kOnnx;
  Home home = Home::kArena;
  std::size_t bytes = 0, offset = 0;
  BufferId alias_of = kNoBuffer;
  BufferId takes_over = kNoBuffer;  ///< of the arena: whose memory it had best lie in, where that is free by then
  std::size_t input = 0;
  Tensor constant;
  int first = -1, last = -1;  ///< steps, inclusive; set for arena buffers
};

/// The addresses of one run's buffers.
class Frame {
 public:
  explicit Frame(std::size_t count) : addresses_(count) {}
  template <class T = std::byte>
  T* at(BufferId id) const {
    return reinterpret_cast<T*>(addresses_[static_cast<std::size_t>(id)]);
  }
  void set(BufferId id, const std::byte* address) {
    addresses_[static_cast<std::size_t>(id)] = const_cast<std::byte*>(address);
  }

 private:
  std::vector<std::byte*> addresses_;
};

/// How a step runs on some lines of images that lie channels-last, by one thread (runtime/bands.h).
struct ByLines {
  kernels::ConvShape shape;  ///< of the whole
  BufferId in, added, out;   ///< added: kNoBuffer where nothing is
  std::size_t scratch_bytes;
  /// `part` is `shape` but for batch (1), heights and pad_top; pointers are to the first of the lines.
  std::function<void(const kernels::ConvShape& part, const void* in, const void* added, void* out, std::byte* scratch)>
      run;
};

/// How a product runs on values that may lie in panels (runtime/panels.h).
struct ByPanels {
  kernels::ConvShape shape;
  BufferId in, added, out, scratch;  ///< added: kNoBuffer where nothing is
  std::function<bool(const kernels::PanelValues&)> takes;
  std::function<void(const kernels::PanelValues&, const void* in, const void* added, void* out, std::byte* scratch)>
      run;
};

struct Step {
  exec::PlanStep info;
  std::vector<BufferId> reads, writes;  ///< writes: outputs and scratch
  std::function<void(const Frame&)> run;
  std::optional<ByLines> by_lines = std::nullopt;
  std::optional<ByPanels> by_panels = std::nullopt;
};

/// Value `name` lies dense in `buffer` once `step` has run (−1: before the first).
struct Observed {
  std::string name;
  BufferId buffer;
  int step;
};

/// Arenas of one plan, handed out to concurrent runs and taken back.
class ArenaPool {
 public:
  using Arena = HugeVector<std::byte>;
  Arena take(std::size_t bytes);  ///< throws Error(kMemory)
  void give_back(Arena arena);

 private:
  std::mutex mutex_;
  std::vector<Arena> free_;
};

struct Continuation;  // runtime/stage.h

struct Plan {
  Plan();
  ~Plan();
  std::vector<Buffer> buffers;
  std::vector<Step> steps;
  std::vector<BufferId> inputs;   ///< in order of the graph's inputs
  std::vector<BufferId> outputs;  ///< in order of the graph's outputs, dense
  std::vector<std::string> output_names;
  std::vector<Observed> observed;
  std::vector<BufferId> carried;       ///< what `next` reads: alive to the end
  std::unique_ptr<Continuation> next;  ///< what runs once shapes that depend on data are known; null: nothing
  std::vector<std::shared_ptr<const void>> kept;  ///< packed weights that steps point into
  std::size_t arena_bytes = 0, weight_bytes = 0;
  ArenaPool arenas;

  BufferId root(BufferId id) const;  ///< the buffer that owns the memory
};

/// Sets every arena buffer's lifetime from the steps, and its offset so that buffers alive at the same step never
/// overlap, but for those that take over another's memory: largest first into the smallest gap that fits (greedy by
/// size; Pisarchyk & Lee, arXiv:2001.03288). 64-byte aligned.
void plan_memory(Plan& plan);

}  // namespace pare::runtime
