#include "runtime/bands.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "base/cpu.h"
#include "base/threads.h"
#include "kernels/kernel.h"

namespace pare::runtime {

namespace {

using kernels::ConvShape;

constexpr std::int64_t kShare = 3;                 ///< of L2: a third
constexpr std::int64_t kLeastCache = 1024 * 1024;  ///< bytes, where the CPU does not say how large L2 is

/// Of a value that is worth bands of `bytes`. 8-bit ones are made and read so fast that they had better leave L2
/// altogether (measured: bands of a third lost 2 % of MobileNets).
std::size_t least_bytes(DType type, std::size_t bytes) { return bits(type) == 8 ? kShare * bytes : bytes; }

struct Lines {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const noexcept { return end - begin; }
};

std::int64_t reach(const ConvShape& s) { return (s.kh - 1) * s.dilation_h + 1; }

/// Lines of the input that lines of the output read.
Lines read_by(const ConvShape& s, const Lines& out) {
  const std::int64_t first = out.begin * s.stride_h - s.pad_top,
                     last = (out.end - 1) * s.stride_h - s.pad_top + reach(s);
  return {std::max<std::int64_t>(first, 0), std::min(last, s.in_h)};
}

/// There are several lines of output, and each reads a line of the input.
bool is_plain(const ConvShape& s) {
  return s.out_h > 1 && s.pad_top < reach(s) && (s.out_h - 1) * s.stride_h - s.pad_top < s.in_h;
}

struct Stage {
  ByLines step;
  std::size_t in_line, added_line, out_line;  ///< bytes
  std::int64_t held = 0;                      ///< lines of its output at most, but for the last
};

/// Consecutive steps, the value between each two held by some lines.
class Chain {
 public:
  Chain(std::vector<Stage> stages, int threads, std::size_t most) : stages_(std::move(stages)), threads_(threads) {
    const std::int64_t all = last().shape.out_h;
    while (lines_ < all && bytes_with(lines_ + 1) <= most) ++lines_;
    lines_ = (all + bands() - 1) / bands();
    bytes_ = kernels::apart(bytes_with(lines_) + scratch_bytes());
  }

  std::int64_t lines() const { return lines_; }
  std::size_t thread_bytes() const { return bytes_; }

  void run(const Frame& frame, std::byte* memory) const {
    const std::int64_t all = last().shape.batch * last().shape.out_h;
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        run_part(frame, memory + static_cast<std::size_t>(i) * bytes_, {all * i / threads_, all * (i + 1) / threads_});
    };
    if (threads_ == 1) return part(0, 1);
    parallel_for(threads_, 1, std::ref(part));
  }

 private:
  const ByLines& last() const { return stages_.back().step; }
  std::int64_t bands() const { return (last().shape.out_h + lines_ - 1) / lines_; }

  std::size_t scratch_bytes() const {
    std::size_t most = 0;
    for (const Stage& stage : stages_) most = std::max(most, stage.step.scratch_bytes);
    return most;
  }

  /// What is held for so many lines of the result, which is counted too; sets `held`.
  std::size_t bytes_with(std::int64_t lines) {
    std::size_t bytes = static_cast<std::size_t>(lines) * stages_.back().out_line;
    for (std::size_t i = stages_.size() - 1; i > 0; --i) {
      const ConvShape& s = stages_[i].step.shape;
      lines = std::min(s.in_h, (lines - 1) * s.stride_h + reach(s));
      stages_[i - 1].held = lines;
      bytes += kernels::apart(static_cast<std::size_t>(lines) * stages_[i - 1].out_line);
    }
    return bytes;
  }

  /// Lines of the result, counted over all images.
  void run_part(const Frame& frame, std::byte* memory, Lines all) const {
    const std::int64_t height = last().shape.out_h;
    while (all.size() > 0) {
      const std::int64_t image = all.begin / height, end = std::min(all.end, (image + 1) * height);
      run_image(frame, memory, image, {all.begin - image * height, end - image * height});
      all.begin = end;
    }
  }

  void run_image(const Frame& frame, std::byte* memory, std::int64_t image, const Lines& all) const {
    std::vector<Lines> held(stages_.size());
    const std::int64_t bands = (all.size() + lines_ - 1) / lines_;
    for (std::int64_t i = 0; i < bands; ++i)
      run_band(frame, memory, image, {all.begin + all.size() * i / bands, all.begin + all.size() * (i + 1) / bands},
               held);
  }

  /// `held`: of each stage's output, what is in memory.
  void run_band(const Frame& frame, std::byte* memory, std::int64_t image, const Lines& band,
                std::vector<Lines>& held) const {
    const std::size_t count = stages_.size();
    std::vector<std::byte*> at(count);
    std::vector<Lines> made(count), read(count);
    for (std::size_t i = 0; i + 1 < count; ++i) {
      at[i] = memory;
      memory += kernels::apart(static_cast<std::size_t>(stages_[i].held) * stages_[i].out_line);
    }
    made[count - 1] = band;
    for (std::size_t i = count; i-- > 0 && made[i].size() > 0;) {
      read[i] = read_by(stages_[i].step.shape, made[i]);
      if (i > 0) made[i - 1] = keep(stages_[i - 1], at[i - 1], held[i - 1], read[i]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (made[i].size() == 0) continue;
      const Stage& stage = stages_[i];
      const auto line = [image](std::byte* whole, std::int64_t height, std::int64_t y, std::size_t bytes) {
        return whole + static_cast<std::size_t>(image * height + y) * bytes;
      };
      const ByLines& step = stage.step;
      const ConvShape part = part_of(step.shape, read[i], made[i]);
      const std::byte* in =
          i == 0 ? line(frame.at(step.in), step.shape.in_h, read[i].begin, stage.in_line)
                 : at[i - 1] + static_cast<std::size_t>(read[i].begin - held[i - 1].begin) * stage.in_line;
      const std::byte* added = step.added == kNoBuffer
                                   ? nullptr
                                   : line(frame.at(step.added), step.shape.out_h, made[i].begin, stage.added_line);
      std::byte* out = i + 1 == count
                           ? line(frame.at(step.out), step.shape.out_h, made[i].begin, stage.out_line)
                           : at[i] + static_cast<std::size_t>(made[i].begin - held[i].begin) * stage.out_line;
      step.run(part, in, added, out, memory);
    }
  }

  /// Moves what `wanted` needs of the held lines to the front, and gives back the lines that are missing.
  static Lines keep(const Stage& stage, std::byte* at, Lines& held, const Lines& wanted) {
    const std::int64_t kept = std::max<std::int64_t>(held.end - wanted.begin, 0);
    if (kept > 0 && wanted.begin > held.begin)
      std::memmove(at, at + static_cast<std::size_t>(wanted.begin - held.begin) * stage.out_line,
                   static_cast<std::size_t>(kept) * stage.out_line);
    held = wanted;
    return {wanted.begin + kept, wanted.end};
  }

  static ConvShape part_of(ConvShape s, const Lines& read, const Lines& made) {
    s.pad_top = read.begin - (made.begin * s.stride_h - s.pad_top);
    s.batch = 1, s.in_h = read.size(), s.out_h = made.size();
    return s;
  }

  std::vector<Stage> stages_;
  std::int64_t threads_, lines_ = 1;
  std::size_t bytes_ = 0;
};

/// How often each buffer's memory is read or written, by whom else it is known, and what steps become of it.
class Joiner {
 public:
  Joiner(Plan& plan, int threads, std::size_t bytes)
      : plan_(plan), threads_(threads), bytes_(bytes), uses_(plan.buffers.size()) {
    const auto use = [&](BufferId id) { ++uses_[static_cast<std::size_t>(plan.root(id))]; };
    for (const Step& step : plan.steps)
      for (const std::vector<BufferId>* ids : {&step.reads, &step.writes}) std::for_each(ids->begin(), ids->end(), use);
    for (const std::vector<BufferId>* ids : {&plan.outputs, &plan.carried})
      std::for_each(ids->begin(), ids->end(), use);
    for (const Observed& seen : plan.observed) use(seen.buffer);
  }

  void run() {
    std::vector<Step> joined;
    std::vector<int> place(plan_.steps.size());  // where a step has gone
    for (std::size_t i = 0; i < plan_.steps.size();) {
      const std::size_t count = chain_from(i);
      std::fill_n(place.begin() + static_cast<std::ptrdiff_t>(i), count, static_cast<int>(joined.size()));
      joined.push_back(count == 1 ? std::move(plan_.steps[i]) : join(i, count));
      i += count;
    }
    plan_.steps = std::move(joined);
    for (Observed& seen : plan_.observed)
      if (seen.step >= 0) seen.step = place[static_cast<std::size_t>(seen.step)];
  }

 private:
  const Buffer& buffer(BufferId id) const { return plan_.buffers[static_cast<std::size_t>(id)]; }

  /// Steps from `first` on that run as one.
  std::size_t chain_from(std::size_t first) const {
    std::size_t count = 1;
    std::int64_t weights = plan_.steps[first].info.weight_bytes;
    while (first + count < plan_.steps.size() && meet(plan_.steps[first + count - 1], plan_.steps[first + count])) {
      weights += plan_.steps[first + count].info.weight_bytes;
      if (static_cast<std::size_t>(weights) > bytes_) break;
      ++count;
    }
    return count;
  }

  bool meet(const Step& writer, const Step& reader) const {
    if (!writer.by_lines || !reader.by_lines) return false;
    const BufferId between = writer.by_lines->out;
    return reader.by_lines->in == between && uses_[static_cast<std::size_t>(between)] == 2 &&
           buffer(between).home == Buffer::Home::kArena &&
           buffer(between).bytes > least_bytes(buffer(between).dtype, bytes_) && is_plain(writer.by_lines->shape) &&
           is_plain(reader.by_lines->shape);
  }

  std::size_t line_bytes(BufferId id, std::int64_t width, std::int64_t channels) const {
    return id == kNoBuffer ? 0 : static_cast<std::size_t>(width * channels * bits(buffer(id).dtype) / 8);
  }

  Step join(std::size_t first, std::size_t count) {
    std::vector<Stage> stages;
    Step step;
    std::string kernels;
    for (std::size_t i = first; i < first + count; ++i) {
      Step& part = plan_.steps[i];
      const ByLines& own = *part.by_lines;
      const ConvShape& s = own.shape;
      stages.push_back({own, line_bytes(own.in, s.in_w, s.in_c), line_bytes(own.added, s.out_w, s.out_c),
                        line_bytes(own.out, s.out_w, s.out_c)});
      if (i == first) step.reads.push_back(own.in), step.info = part.info, step.info.nodes.clear();
      if (own.added != kNoBuffer) step.reads.push_back(own.added);
      step.info.nodes.insert(step.info.nodes.end(), part.info.nodes.begin(), part.info.nodes.end());
      if (i > first) step.info.macs += part.info.macs, step.info.weight_bytes += part.info.weight_bytes;
      kernels += (kernels.empty() ? "" : ", ") + part.info.kernel;
      if (i + 1 == first + count)
        step.info.output = part.info.output, step.info.output_dims = part.info.output_dims,
        step.writes.push_back(own.out);
    }
    const auto chain = std::make_shared<const Chain>(std::move(stages), threads_, bytes_);
    const std::size_t bytes = chain->thread_bytes() * static_cast<std::size_t>(threads_);
    const auto scratch = static_cast<BufferId>(plan_.buffers.size());
    plan_.buffers.push_back({.dtype = DType::kUint8, .dims = {static_cast<std::int64_t>(bytes)}, .bytes = bytes});
    step.writes.push_back(scratch);
    step.info.kernel = "bands";
    step.info.reason = kernels + ", " + std::to_string(chain->lines()) + " lines of the result at a time";
    step.run = [chain, scratch](const Frame& frame) { chain->run(frame, frame.at(scratch)); };
    return step;
  }

  Plan& plan_;
  int threads_;
  std::size_t bytes_;
  std::vector<int> uses_;
};

}  // namespace

std::size_t band_bytes() { return static_cast<std::size_t>(std::max(cpu_info().l2, kLeastCache) / kShare); }

void join_bands(Plan& plan, int threads, std::size_t bytes) { Joiner(plan, threads, bytes).run(); }

bool goes_to_band(const Lowerer& lowerer, ir::ValueId value, DType type, std::size_t bytes) {
  const ir::Graph& graph = lowerer.graph();
  if (bytes <= least_bytes(type, band_bytes())) return false;
  const auto only_reader = [&](ir::ValueId id) -> const ir::Node* {
    const std::vector<ir::NodeId>& readers = graph.value(id).consumers;
    return readers.size() == 1 && !graph.is_output(id) ? &graph.node(readers[0]) : nullptr;
  };
  const ir::Node* reader = only_reader(value);
  if (reader && reader->is("DequantizeLinear")) reader = only_reader(value = reader->output(0));
  return reader && reader->is("Conv") && reader->input(0) == value && reader->int_or("group", 1) > 1;
}

}  // namespace pare::runtime
