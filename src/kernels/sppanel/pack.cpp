// From dense weights with zeros to pairs of output channels.
#include <algorithm>

#include "kernels/sppanel/sppanel.h"

namespace pare::kernels {
namespace {

struct Entry {
  std::uint32_t weight;
  std::uint8_t which;
};
using Rows = std::vector<std::vector<Entry>>;  ///< of each output channel of a chunk

/// What pack_panels() makes.
struct Pairs {
  std::vector<PanelPair> pairs;
  std::vector<std::uint32_t> weights;
  std::vector<std::uint8_t> which;

  void add(const Entry& entry) {
    weights.push_back(entry.weight);
    which.push_back(entry.which);
  }
};

/// Channels in order of their number of entries, two and two.
void pair_up(const Rows& rows, std::int64_t channel, std::int64_t out_c, Pairs& packed) {
  std::vector<std::uint32_t> order(rows.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return rows[a].size() > rows[b].size(); });
  for (std::size_t n = 0; n < order.size(); n += 2) {
    const bool alone = n + 1 == order.size();
    const std::vector<Entry>& longer = rows[order[n]];
    const std::vector<Entry> none, &shorter = alone ? none : rows[order[n + 1]];
    PanelPair pair{{static_cast<std::uint32_t>(channel) + order[n], static_cast<std::uint32_t>(out_c)},
                   static_cast<std::uint32_t>(packed.weights.size()),
                   static_cast<std::uint32_t>(longer.size())};
    if (!alone) pair.channels[1] = static_cast<std::uint32_t>(channel) + order[n + 1];
    for (std::size_t step = 0; step < longer.size(); ++step) {
      packed.add(longer[step]);
      packed.add(step < shorter.size() ? shorter[step] : Entry{0, longer[step].which});
    }
    packed.pairs.push_back(pair);
  }
}

}  // namespace

std::int64_t panel_block() {
  const std::int64_t l1 = cpu_info().l1d > 0 ? cpu_info().l1d : 32 * 1024;
  const std::int64_t rows = l1 * 3 / 4 / (kPanelPixels * static_cast<std::int64_t>(sizeof(std::uint32_t)));
  return std::clamp<std::int64_t>(rows / 16 * 16, 16, kPanelBlock);
}

void describe_panels(PanelWeights& w, std::int64_t taps, std::int64_t elements, std::int64_t out_c) {
  w.taps = taps, w.elements = elements, w.out_c = out_c;
  w.block = panel_block();
  w.blocks = (taps * elements + w.block - 1) / w.block;
  w.chunks = (out_c + kPanelChunk - 1) / kPanelChunk;
  w.first = {0};
  for (std::int64_t block = 0; block < w.blocks; ++block)
    for (std::int64_t channel = 0; channel < out_c; channel += kPanelChunk)
      w.first.push_back(w.first.back() + (std::min<std::int64_t>(kPanelChunk, out_c - channel) + 1) / 2);
}

void pack_panels(PanelWeights& packed,
                 const std::function<std::uint32_t(std::int64_t, std::int64_t, std::int64_t)>& weight) {
  const std::int64_t inputs = packed.taps * packed.elements;
  Pairs made;
  for (std::int64_t begin = 0; begin < inputs; begin += packed.block)
    for (std::int64_t channel = 0; channel < packed.out_c; channel += kPanelChunk) {
      Rows rows(static_cast<std::size_t>(std::min<std::int64_t>(kPanelChunk, packed.out_c - channel)));
      for (std::size_t c = 0; c < rows.size(); ++c)
        for (std::int64_t i = begin; i < std::min(inputs, begin + packed.block); ++i)
          if (const std::uint32_t w =
                  weight(channel + static_cast<std::int64_t>(c), i / packed.elements, i % packed.elements);
              w != 0)
            rows[c].push_back({w, static_cast<std::uint8_t>(i - begin)});
      pair_up(rows, channel, packed.out_c, made);
    }
  packed.pairs = PackedArray<PanelPair>(std::move(made.pairs));
  packed.weights = PackedArray<std::uint32_t>(std::move(made.weights));
  packed.which = PackedArray<std::uint8_t>(std::move(made.which));
}

void write_panels(const PanelWeights& weights, PackedWriter& writer) {
  writer.number(static_cast<std::int64_t>(weights.weights.size()));
  writer.array(weights.pairs);
  writer.array(weights.weights);
  writer.array(weights.which);
}

bool view_panels(PanelWeights& weights, PackedReader& reader) {
  const std::int64_t count = reader.number();
  if (!reader.ok() || count < 0) return false;
  weights.pairs = reader.array<PanelPair>(static_cast<std::size_t>(weights.first.back()));
  weights.weights = reader.array<std::uint32_t>(static_cast<std::size_t>(count));
  weights.which = reader.array<std::uint8_t>(static_cast<std::size_t>(count));
  if (!reader.ok()) return false;
  std::int64_t at = 0;  // pairs have their weights one after the other
  for (std::size_t i = 0; i < weights.pairs.size(); at += 2 * std::int64_t{weights.pairs[i++].count}) {
    const PanelPair& pair = weights.pairs[i];
    if (pair.first != at || pair.channels[0] >= weights.out_c || pair.channels[1] > weights.out_c) return false;
  }
  std::uint8_t largest = 0;
  for (std::size_t i = 0; i < weights.which.size(); ++i) largest = std::max(largest, weights.which[i]);
  return at == count && largest < weights.block;
}

std::size_t PanelWeights::bytes() const noexcept {
  return weights.bytes() + which.bytes() + pairs.size() * sizeof(PanelPair) + first.size() * sizeof(std::int64_t) +
         padding.size() * sizeof(std::uint32_t);
}

double PanelWeights::density() const noexcept {
  return static_cast<double>(weights.size()) / static_cast<double>(std::max<std::int64_t>(1, taps * elements * out_c));
}

}  // namespace pare::kernels
