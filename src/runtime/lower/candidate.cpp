#include "runtime/lower/candidate.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/huge_memory.h"
#include "base/threads.h"
#include "runtime/bands.h"
#include "runtime/lower/sparse_cost.h"
#include "runtime/tuner.h"

namespace pare::runtime {

namespace {

constexpr double kHopeless = 3;    ///< times the least estimate from which nothing is measured
constexpr double kClearly = 0.97;  ///< of the estimate's favourite, that a measurement must stay below to overrule it
constexpr std::size_t kAlign = 64, kLine = 64;

std::size_t least_estimate(const std::vector<Candidate>& candidates) {
  const auto less = [](const Candidate& a, const Candidate& b) { return a.cycles < b.cycles; };
  return static_cast<std::size_t>(std::min_element(candidates.begin(), candidates.end(), less) - candidates.begin());
}

/// Memory to time products in: filled, since zeros of a fresh page are no memory yet, with bytes that are floats near
/// 0.2 in 16 and in 32 bits; denormal ones are multiplied at a tenth of the speed, and by some forms more often than by
/// others.
class Bench {
 public:
  explicit Bench(std::size_t bytes) : memory_(bytes + kAlign) {
    for (std::size_t i = 0; i < memory_.size(); ++i) memory_[i] = static_cast<std::byte>(i % 2 ? 0x3E : i * 89 % 4);
  }
  std::byte* at() {
    return memory_.data() + (kAlign - reinterpret_cast<std::uintptr_t>(memory_.data()) % kAlign) % kAlign;
  }

 private:
  HugeVector<std::byte> memory_;  ///< as an arena
};

/// Reads all of it, a part on each core.
void touch(Bench& memory, std::size_t bytes) {
  const std::byte* const from = memory.at();
  const auto part = [from](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) (void)*static_cast<const volatile std::byte*>(from + i * kLine);
  };
  parallel_for(static_cast<std::int64_t>(bytes / kLine), 1, std::ref(part));
}

decltype(ProductForm::run) run_as_timed(const ProductForm& form) {
  if (!form.timed.in && !form.timed.out) return form.run;
  return [run = form.by_panels, values = form.timed](const void* in, const void* added, void* out, std::byte* scratch) {
    run(values, in, added, out, scratch);
  };
}

Tuner::Race race_of(const std::vector<Candidate>& candidates, const ProductBuffers& buffers,
                    std::vector<ProductForm>& forms, int threads) {
  std::size_t scratch = 0;
  for (const Candidate& candidate : candidates) {
    forms.push_back(candidate.make());
    scratch = std::max(scratch, forms.back().scratch_bytes);
  }
  struct Memory {
    Bench in, added, out, scratch;
  };
  const auto memory =
      std::make_shared<Memory>(Memory{Bench(buffers.in), Bench(buffers.added), Bench(buffers.out), Bench(scratch)});
  const bool adds = buffers.added > 0;
  Tuner::Race race;
  race.threads = threads;
  race.inputs = [memory, buffers, adds] {
    if (adds) touch(memory->out, buffers.out);  // what is added lies there for forms that add in place
    touch(memory->added, buffers.added);
    touch(memory->in, buffers.in);
  };
  for (const ProductForm& form : forms)
    race.runs.push_back([memory, adds, run = run_as_timed(form), in_place = form.in_place] {
      run(memory->in.at(), adds ? (in_place ? memory->out : memory->added).at() : nullptr, memory->out.at(),
          memory->scratch.at());
    });
  return race;
}

Chosen by_timing(Lowerer& lw, const std::string& task, const std::vector<Candidate>& candidates, std::size_t favourite,
                 const ProductBuffers& buffers) {
  std::vector<std::string> names;
  for (const Candidate& candidate : candidates) names.push_back(candidate.kernel);
  std::vector<ProductForm> forms;
  const std::vector<double> times =
      lw.tuner()->microseconds(task, names, [&] { return race_of(candidates, buffers, forms, lw.threads()); });
  auto best = static_cast<std::size_t>(std::min_element(times.begin(), times.end()) - times.begin());
  if (times[best] > kClearly * times[favourite]) best = favourite;
  const std::size_t other = best != 0 ? 0 : favourite != 0 ? favourite : 1;
  Chosen chosen{forms.empty() ? candidates[best].make() : std::move(forms[best]), ""};
  chosen.against = "measured " + format_decimal(times[best]) + " µs against " + format_decimal(times[other]) + " µs (" +
                   names[other] + ")";
  return chosen;
}

}  // namespace

Chosen choose(Lowerer& lw, const std::string& task, const std::vector<Candidate>& candidates,
              const ProductBuffers& buffers) {
  if (candidates.size() == 1) return {candidates[0].make(), ""};
  const std::size_t best = least_estimate(candidates);
  std::vector<Candidate> worth;
  std::size_t favourite = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].cycles > kHopeless * candidates[best].cycles) continue;
    if (i == best) favourite = worth.size();
    worth.push_back(candidates[i]);
  }
  if (lw.tuner() && worth.size() > 1) return by_timing(lw, task, worth, favourite, buffers);
  const std::size_t other = best == 0 ? 1 : 0;
  const double gain = candidates[other].cycles / candidates[best].cycles;
  return {candidates[best].make(), "estimated " + format_decimal(gain) + " times " + candidates[other].kernel};
}

void ProductForm::set_runs(const kernels::ConvShape& shape, int threads, AnyHeight any) {
  any_height = any;
  run = [shape, threads, any = std::move(any)](const void* in, const void* added, void* out, std::byte* scratch) {
    any(shape, in, added, out, scratch, threads);
  };
}

std::optional<Chosen> choose_for_band(const Lowerer& lw, const Group& group, const kernels::ConvShape& s, DType type,
                                      const std::vector<Candidate>& candidates) {
  const auto bytes = static_cast<std::size_t>(s.pixels() * s.out_c * bits(type) / 8);
  if (!goes_to_band(lw, group.output, type, bytes)) return std::nullopt;
  for (const Candidate& candidate : candidates)
    if (candidate.any_height) return Chosen{candidate.make(), ""};
  return std::nullopt;
}

void emit_product(Lowerer& lw, const Group& group, StepNote note, const ProductForm& form,
                  const kernels::ConvShape& shape, BufferId in, BufferId added, BufferId out) {
  if (form.in_place) lw.take_over(out, added);
  const BufferId scratch = lw.scratch(form.scratch_bytes);
  std::vector<BufferId> reads = {in};
  if (added != kNoBuffer) reads.push_back(added);
  note.kernel = form.kernel;
  note.weight_bytes = static_cast<std::int64_t>(form.weight_bytes);
  Step& step = lw.emit(
      group, std::move(note), reads, {out, scratch}, [in, added, out, scratch, run = form.run](const Frame& frame) {
        run(frame.at(in), added == kNoBuffer ? nullptr : frame.at(added), frame.at(out), frame.at(scratch));
      });
  if (form.any_height)
    step.by_lines = {shape,
                     in,
                     added,
                     out,
                     form.line_scratch_bytes,
                     [run = form.any_height](const kernels::ConvShape& part, const void* from, const void* add,
                                             void* to, std::byte* at) { run(part, from, add, to, at, 1); }};
  if (form.by_panels) step.by_panels = {shape, in, added, out, scratch, form.takes, form.by_panels};
}

std::string describe(const kernels::ConvShape& s) {
  const auto pair = [](std::int64_t a, std::int64_t b) { return std::to_string(a) + "x" + std::to_string(b); };
  return std::to_string(s.batch) + "x" + pair(s.in_h, s.in_w) + "x" + std::to_string(s.in_c) + " > " +
         pair(s.out_h, s.out_w) + "x" + std::to_string(s.out_c) + ", " + pair(s.kh, s.kw) + ", stride " +
         pair(s.stride_h, s.stride_w) + ", pad " + pair(s.pad_top, s.pad_left) + ", dilation " +
         pair(s.dilation_h, s.dilation_w) + ", groups " + std::to_string(s.groups);
}

}  // namespace pare::runtime
