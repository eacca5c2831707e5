#include "runtime/slices.h"

#include <atomic>
#include <cstring>

#include "base/threads.h"
#include "ir/subgraph.h"

namespace pare::runtime {

namespace {

struct Range {
  std::int64_t first, count;
};

class SliceRun {
 public:
  SliceRun(const Slices& slices, const std::vector<Tensor>& inputs, const AfterStep& after)
      : slices_(slices), inputs_(inputs), after_(after) {
    for (std::size_t i = 0; i < slices.part->outputs.size(); ++i) {
      const Buffer& buffer = output(*slices_.part, i);
      Dims dims = buffer.dims;
      if (const auto& axis = slices_.axes.outputs[i])
        dims[static_cast<std::size_t>(axis->axis)] = axis->each * slices_.samples;
      outputs_.emplace_back(buffer.dtype, dims);
      bytes_.push_back(outputs_.back().mutable_raw());
    }
  }

  NamedTensors run() {
    if (slices_.workers == 1) {
      for (std::int64_t i = 0; i < slices_.count(); ++i) slice(i);
    } else {
      parallel_for(slices_.workers, 1, [&](std::int64_t, std::int64_t) { work(); });
    }
    NamedTensors named;
    for (std::size_t i = 0; i < outputs_.size(); ++i) named[slices_.part->output_names[i]] = std::move(outputs_[i]);
    return named;
  }

 private:
  static const Buffer& output(const Plan& plan, std::size_t i) {
    return plan.buffers[static_cast<std::size_t>(plan.outputs[i])];
  }

  /// Whoever is free takes the next slice.
  void work() {
    const ThreadScope one(1);
    const ir::MemoryBudget budget(slices_.options.max_memory);
    try {
      for (std::int64_t i = next_++; i < slices_.count(); i = next_++) slice(i);
    } catch (...) {
      next_ = slices_.count();
      throw;
    }
  }

  void slice(std::int64_t index) {
    Plan& plan = index < slices_.full() ? *slices_.part : *slices_.rest;
    const Range range{index * slices_.each, std::min(slices_.each, slices_.samples - index * slices_.each)};
    const std::vector<Tensor> inputs = inputs_of(range);
    PlanRun run(plan, inputs);
    run.run(after_);
    for (std::size_t i = 0; i < outputs_.size(); ++i) write(i, plan, run.frame(), range);
    if (after_) after_(plan, static_cast<int>(plan.steps.size()), run.frame());
  }

  std::vector<Tensor> inputs_of(const Range& range) const {
    std::vector<Tensor> taken = inputs_;
    for (std::size_t i = 0; i < taken.size(); ++i) {
      if (!slices_.axes.inputs[i]) continue;
      Dims dims = inputs_[i].dims();  // samples lie on axis 0, one index each
      const std::size_t one = inputs_[i].bytes() / static_cast<std::size_t>(slices_.samples);
      dims[0] = range.count;
      taken[i] = Tensor::view(inputs_[i].dtype(), dims, inputs_[i].raw() + static_cast<std::size_t>(range.first) * one,
                              nullptr);
    }
    return taken;
  }

  /// What is the same for every sample is taken from the first slice.
  void write(std::size_t i, const Plan& plan, const Frame& frame, const Range& range) const {
    const Buffer& buffer = output(plan, i);
    const std::byte* from = frame.at(plan.outputs[i]);
    if (buffer.bytes == 0) return;
    const std::optional<BatchAxis>& at = slices_.axes.outputs[i];
    if (!at) {
      if (range.first == 0) std::memcpy(bytes_[i], from, buffer.bytes);
      return;
    }
    const auto outer =
        static_cast<std::size_t>(element_count(Dims(buffer.dims.begin(), buffer.dims.begin() + at->axis)));
    const std::size_t piece = buffer.bytes / outer, one = piece / static_cast<std::size_t>(range.count);
    for (std::size_t o = 0; o < outer; ++o)
      std::memcpy(
          bytes_[i] + (o * static_cast<std::size_t>(slices_.samples) + static_cast<std::size_t>(range.first)) * one,
          from + o * piece, piece);
  }

  const Slices& slices_;
  const std::vector<Tensor>& inputs_;
  const AfterStep& after_;
  std::vector<Tensor> outputs_;
  std::vector<std::byte*> bytes_;  ///< of the outputs
  std::atomic<std::int64_t> next_ = 0;
};

}  // namespace

NamedTensors run_slices(const Slices& slices, const std::vector<Tensor>& inputs, const AfterStep& after) {
  return SliceRun(slices, inputs, after).run();
}

}  // namespace pare::runtime
