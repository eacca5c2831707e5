// One of several ways to run a step, and the choice among them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/lowerer.h"

namespace pare::runtime {

/// A product ready to run, in any type; all candidates of a step read and write alike.
struct ProductForm {
  std::string kernel, reason;  ///< reason: what there is to say beside the choice
  std::size_t weight_bytes = 0, scratch_bytes = 0;
  std::function<void(const void* in, const void* added, void* out, std::byte* scratch)> run;
  bool in_place = false;  ///< fastest where `added` is `out`

  /// As run(), on another number of lines (ByLines::run) and by so many threads; null: only the whole at once.
  using AnyHeight = std::function<void(const kernels::ConvShape& shape, const void* in, const void* added, void* out,
                                       std::byte* scratch, int threads)>;
  AnyHeight any_height;
  std::size_t line_scratch_bytes = 0;  ///< of one thread

  /// As run(), on values that may lie in panels (runtime/panels.h); null: only channels-last.
  std::function<void(const kernels::PanelValues&, const void* in, const void* added, void* out, std::byte* scratch)>
      by_panels;
  std::function<bool(const kernels::PanelValues&)> takes;  ///< with by_panels
  kernels::PanelValues timed;                              ///< so it is timed: as values probably lie in the plan

  /// Sets any_height, and run() by it.
  void set_runs(const kernels::ConvShape& shape, int threads, AnyHeight any);
};

struct Candidate {
  std::string kernel;
  double cycles = 0;                  ///< estimated
  std::function<ProductForm()> make;  ///< packs weights, where no file holds them
  bool any_height = false;            ///< the form has ProductForm::any_height
};

/// Bytes of the buffers that a product reads and writes, for timing it.
struct ProductBuffers {
  std::size_t in = 0, added = 0, out = 0;
};

struct Chosen {
  ProductForm form;
  std::string
      against;  ///< "measured 21.0 µs against 64.1 µs (qconv__onednn)", "estimated 3.0 times dense"; "": no other
};

/// The fastest of `candidates`, of which there is one at least and whose first is the one to compare with: by timing
/// where the plan is tuned, among those that are not estimated to take three times the least; by the estimate else.
/// `task` says what times depend on beside kernels and the machine.
Chosen choose(Lowerer& lw, const std::string& task, const std::vector<Candidate>& candidates,
              const ProductBuffers& buffers);

/// The candidate that runs by lines, where there is one and what it writes, of `type`, goes to a band
/// (runtime/bands.h).
std::optional<Chosen> choose_for_band(const Lowerer& lw, const Group& group, const kernels::ConvShape& shape,
                                      DType type, const std::vector<Candidate>& candidates);

/// Emits the step of the chosen form.
void emit_product(Lowerer& lw, const Group& group, StepNote note, const ProductForm& form,
                  const kernels::ConvShape& shape, BufferId in, BufferId added, BufferId out);

/// "1x56x56x64 > 56x56x256, 3x3, stride 1x1, pad 1x1, dilation 1x1, groups 1"
std::string describe(const kernels::ConvShape& shape);

}  // namespace pare::runtime
