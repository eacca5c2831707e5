// From dense weights with zeros to slots.
#include <algorithm>
#include <limits>
#include <new>
#include <numeric>

#include "kernels/spconv/row.h"
#include "kernels/spconv/windows.h"
#include "pare/error.h"

namespace pare::kernels {
namespace {

std::int64_t rows_of_span(const ConvShape& s, std::int64_t span) noexcept {
  return std::min<std::int64_t>(kSpConvSpan, s.out_c - span * kSpConvSpan);
}

/// All but slots, their data and the bias.
void describe(SpConvPacked& packed, const SpConvKernel& kernel, const ConvShape& shape, DType input_type,
              std::int32_t input_zero_point) {
  packed.kernel = &kernel;
  packed.common.shape = shape;
  packed.common.input_signed = input_type == DType::kInt8;
  packed.common.input_zero_point = input_zero_point;
  packed.lines = shape.taps() / spconv_line_taps(shape);
  packed.length = spconv_line_taps(shape) * shape.in_c;
  packed.blocks = (shape.out_c + kSpConvChannels - 1) / kSpConvChannels;
  packed.padding.assign(static_cast<std::size_t>(packed.length), static_cast<std::uint8_t>(input_zero_point));
}

/// Windows are the groups of 64 inputs of each line.
bool regular(const SpConvPacked& packed) noexcept {
  const std::int64_t groups = packed.length / kSpConvWindow;
  if (groups * kSpConvWindow != packed.length) return false;
  const auto as_groups = [&](std::uint32_t count) { return count == groups; };
  if (!std::all_of(packed.counts.data(), packed.counts.data() + packed.counts.size(), as_groups)) return false;
  for (std::size_t i = 0; i < packed.windows.size(); ++i)
    if (packed.windows[i].start != static_cast<std::int64_t>(i) % groups * kSpConvWindow) return false;
  return true;
}

/// Where each block's windows and slots begin; false: counts are not those of the windows.
bool find_blocks(SpConvPacked& packed) {
  packed.first_window.assign(1, 0);
  packed.first_slot.assign(1, 0);
  const std::span windows(packed.windows.data(), packed.windows.size());
  for (std::int64_t block = 0; block < packed.blocks; ++block) {
    const std::uint32_t* counts = packed.counts.data() + block * packed.lines;
    const std::int64_t begin = packed.first_window.back(), end = std::accumulate(counts, counts + packed.lines, begin);
    if (end > static_cast<std::int64_t>(windows.size())) return false;
    const auto own = windows.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    packed.first_window.push_back(end);
    packed.first_slot.push_back(std::accumulate(own.begin(), own.end(), packed.first_slot.back(),
                                                [](std::int64_t sum, const SpConvWindow& w) { return sum + w.slots; }));
  }
  const auto differs = [&](const SpConvWindow& w) { return w.slots != windows[0].slots; };
  packed.uniform = windows.empty() || std::any_of(windows.begin(), windows.end(), differs) ? 0 : windows[0].slots;
  packed.regular = regular(packed);
  return packed.first_window.back() == static_cast<std::int64_t>(windows.size());
}

/// Where each row is; false: two rows of a span are in one place.
bool find_places(SpConvPacked& packed) {
  packed.places.assign(packed.order.size(), 0);
  for (std::int64_t span = 0; span * kSpConvSpan < static_cast<std::int64_t>(packed.order.size()); ++span) {
    std::uint64_t seen = 0;
    const std::int64_t rows = rows_of_span(packed.common.shape, span);
    for (std::int64_t place = 0; place < kSpConvSpan; ++place) {
      const std::uint8_t row = packed.order[static_cast<std::size_t>(span * kSpConvSpan + place)];
      if (place >= rows ? row != 0 : row >= rows) return false;
      if (place >= rows) continue;
      seen |= std::uint64_t{1} << row;
      packed.places[static_cast<std::size_t>(span * kSpConvSpan + row)] = static_cast<std::uint8_t>(place);
    }
    if (seen != (rows == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << rows) - 1)) return false;
  }
  return true;
}

/// The slots of the window that a walk is at.
void pack_window(const SpWindows& windows, std::size_t channels, HugeVector<SpConvSlot>& data) {
  const std::size_t at = data.size();
  data.resize(at + static_cast<std::size_t>(windows.slots()), SpConvSlot{});
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t n = 0; n < windows.taken(c).size(); ++n) {
      const SpSurvivor& survivor = windows.taken(c)[n];
      std::uint8_t* slot = data[at + n / 4].bytes;
      slot[4 * c + n % 4] = static_cast<std::uint8_t>(survivor.at - windows.start());
      slot[kSpConvSlot / 2 + 4 * c + n % 4] = static_cast<std::uint8_t>(survivor.weight);
    }
}

/// What grows span by span.
struct Growing {
  std::vector<std::uint32_t> counts;
  std::vector<SpConvWindow> windows;
  HugeVector<SpConvSlot> data;
  std::vector<std::uint8_t> order;
  std::vector<std::int32_t> bias;
};

void pack_block(const SpSurvivors& survivors, std::span<const std::int64_t> rows, const SpConvPlan& plan, Growing& to) {
  for (std::int64_t line = 0; line < survivors.lines(); ++line) {
    const std::size_t before = to.windows.size();
    for (SpWindows windows(survivors, rows, line, plan); windows.next();) {
      to.windows.push_back({static_cast<std::uint16_t>(windows.start()), static_cast<std::uint16_t>(windows.slots())});
      pack_window(windows, rows.size(), to.data);
    }
    to.counts.push_back(static_cast<std::uint32_t>(to.windows.size() - before));
  }
}

void pack_span(const ConvShape& s, const QConvFilter& filter, std::int64_t span, const SpConvPlan& plan, Growing& to) {
  const std::int64_t first = span * kSpConvSpan;
  const SpSurvivors survivors(s, filter, first, first + rows_of_span(s, span));
  std::vector<std::int64_t> rows(static_cast<std::size_t>(rows_of_span(s, span)));
  std::iota(rows.begin(), rows.end(), first);
  if (plan.ordered) {
    std::vector<std::uint8_t> order = spconv_order(s, survivors, span);
    for (std::size_t c = 0; c < rows.size(); ++c) rows[c] = first + order[c];
    order.resize(kSpConvSpan, 0);
    to.order.insert(to.order.end(), order.begin(), order.end());
  }
  for (std::size_t c = 0; c < rows.size(); c += kSpConvChannels)
    pack_block(survivors, std::span(rows).subspan(c, std::min<std::size_t>(kSpConvChannels, rows.size() - c)), plan,
               to);
  for (const std::int64_t row : rows) to.bias.push_back(survivors.sum(row));
}

void pack_into(SpConvPacked& packed, const QConvFilter& filter, const std::int32_t* bias) {
  const ConvShape& s = packed.common.shape;
  const SpConvPlan plan = plan_spconv(s, filter);
  Growing parts;
  for (std::int64_t span = 0; span * kSpConvSpan < s.out_c; ++span) pack_span(s, filter, span, plan, parts);
  packed.counts = PackedArray<std::uint32_t>(parts.counts);
  packed.windows = PackedArray<SpConvWindow>(parts.windows);
  packed.data = PackedArray<SpConvSlot>(std::move(parts.data));
  packed.order = PackedArray<std::uint8_t>(parts.order);
  find_blocks(packed);
  find_places(packed);
  const std::int32_t zero = packed.common.input_zero_point + (packed.common.input_signed ? 128 : 0);
  packed.common.bias = std::move(parts.bias);  // Σw so far
  for (std::int64_t c = 0; c < s.out_c; ++c) {
    const std::int64_t row =
        plan.ordered ? c / kSpConvSpan * kSpConvSpan + packed.order[static_cast<std::size_t>(c)] : c;
    std::int32_t& own = packed.common.bias[static_cast<std::size_t>(c)];
    own = (bias ? bias[row] : 0) - zero * own;
  }
}

/// Kernels go by what a packed file says.
bool sound(const SpConvPacked& packed) {
  const std::int64_t last = std::max<std::int64_t>(packed.length - kSpConvWindow, 0);
  return std::all_of(packed.windows.data(), packed.windows.data() + packed.windows.size(),
                     [&](const SpConvWindow& window) { return window.start <= last; });
}

}  // namespace

bool SpConvWeights::takes(const ConvShape& shape, const QConvFilter& filter) noexcept {
  constexpr std::int64_t kLongest = std::numeric_limits<std::uint16_t>::max();  // line, by SpConvWindow
  if (shape.groups != 1 || filter.is_unsigned || spconv_line_taps(shape) * shape.in_c > kLongest) return false;
  return !filter.zero_point ||
         std::all_of(filter.zero_point, filter.zero_point + shape.out_c, [](std::int32_t z) { return z == 0; });
}

SpConvWeights SpConvWeights::pack(const ConvShape& shape, const QConvFilter& filter, DType input_type,
                                  std::int32_t input_zero_point, const std::int32_t* bias, const SpConvKernel* kernel) {
  try {
    auto packed = std::make_shared<SpConvPacked>();
    describe(*packed, kernel ? *kernel : *best_row(spconv_kernels()), shape, input_type, input_zero_point);
    pack_into(*packed, filter, bias);
    return SpConvWeights(std::move(packed));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorCode::kMemory, "sparse weights", "do not fit in memory when packed");
  }
}

std::string SpConvWeights::packing_key(const ConvShape& s, const QConvFilter& filter, DType input_type,
                                       std::int32_t input_zero_point, const std::int32_t* bias) {
  PackingKey key("spconv", 2, best_row(spconv_kernels())->name);
  key.add(s.in_c, s.out_c, s.kh, s.kw, spconv_line_taps(s));
  key.add(filter.strides.o, filter.strides.i, filter.strides.y, filter.strides.x);
  key.add(input_type, input_zero_point).add_array(bias, s.out_c);
  return key.text();
}

void SpConvWeights::write(PackedWriter& writer) const {
  const SpConvPacked& p = packed();
  for (const std::size_t size : {p.windows.size(), p.data.size(), p.order.size()})
    writer.number(static_cast<std::int64_t>(size));
  writer.array(p.counts);
  writer.array(p.windows);
  writer.array(p.data);
  writer.array(p.order);
  writer.array(PackedArray<std::int32_t>(p.common.bias));
}

std::optional<SpConvWeights> SpConvWeights::view(const ConvShape& shape, DType input_type,
                                                 std::int32_t input_zero_point, PackedReader& reader) {
  auto packed = std::make_shared<SpConvPacked>();
  describe(*packed, *best_row(spconv_kernels()), shape, input_type, input_zero_point);
  const std::int64_t windows = reader.number(), slots = reader.number(), ordered = reader.number();
  const std::int64_t spans = (shape.out_c + kSpConvSpan - 1) / kSpConvSpan;
  if (!reader.ok() || windows < 0 || slots < 0) return std::nullopt;
  packed->counts = reader.array<std::uint32_t>(static_cast<std::size_t>(packed->blocks * packed->lines));
  packed->windows = reader.array<SpConvWindow>(static_cast<std::size_t>(windows));
  packed->data = reader.array<SpConvSlot>(static_cast<std::size_t>(slots));
  packed->order = reader.array<std::uint8_t>(ordered == 0 ? 0 : static_cast<std::size_t>(spans * kSpConvSpan));
  const PackedArray<std::int32_t> bias = reader.array<std::int32_t>(static_cast<std::size_t>(shape.out_c));
  packed->common.bias.assign(bias.data(), bias.data() + bias.size());
  if (!reader.finished() || !sound(*packed) || !find_blocks(*packed) || packed->first_slot.back() != slots ||
      !find_places(*packed))
    return std::nullopt;
  return SpConvWeights(std::move(packed));
}

double spconv_slots(const ConvShape& shape, const QConvFilter& filter) { return plan_spconv(shape, filter).slots; }

const char* SpConvWeights::kernel_name() const noexcept { return packed().kernel->name; }
std::size_t SpConvWeights::bytes() const noexcept {
  const SpConvPacked& p = packed();
  return p.data.bytes() + p.counts.bytes() + p.windows.bytes() + p.order.bytes() + p.places.size() +
         16 * p.first_slot.size() + 4 * p.common.bias.size() + p.padding.size();
}
double SpConvWeights::density() const noexcept {
  const double done = static_cast<double>(packed().data.bytes()) / 2;
  return done / static_cast<double>(packed().blocks * kSpConvChannels * packed().lines * packed().length);
}

}  // namespace pare::kernels
