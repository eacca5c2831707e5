// From dense weights with zeros to pairs of output channels.
#include <algorithm>

#include "kernels/sppanel/sppanel.h"

namespace pare::kernels {
namespace {

/// Inputs whose panel fills three quarters of the L1 cache.
std::int64_t block_inputs() {
  const std::int64_t l1 = cpu_info().l1d > 0 ? cpu_info().l1d : 32 * 1024;
  const std::int64_t rows = l1 * 3 / 4 / (kPanelPixels * static_cast<std::int64_t>(sizeof(std::uint32_t)));
  return std::max<std::int64_t>(16, rows / 16 * 16);
}

using Rows = std::vector<std::vector<PanelEntry>>;  ///< of each output channel of a chunk

/// Channels in order of their number of entries, two and two.
void pair_up(const Rows& rows, std::int64_t channel, PanelWeights& packed) {
  std::vector<std::uint32_t> order(rows.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return rows[a].size() > rows[b].size(); });
  for (std::size_t n = 0; n < order.size(); n += 2) {
    const bool alone = n + 1 == order.size();
    const std::vector<PanelEntry>& longer = rows[order[n]];
    const std::vector<PanelEntry> none, &shorter = alone ? none : rows[order[n + 1]];
    PanelPair pair{{static_cast<std::uint32_t>(channel) + order[n], static_cast<std::uint32_t>(packed.out_c)},
                   static_cast<std::uint32_t>(packed.entries.size()),
                   static_cast<std::uint32_t>(longer.size())};
    if (!alone) pair.channels[1] = static_cast<std::uint32_t>(channel) + order[n + 1];
    for (std::size_t step = 0; step < longer.size(); ++step) {
      packed.entries.push_back(longer[step]);
      packed.entries.push_back(step < shorter.size() ? shorter[step] : PanelEntry{0, longer[step].input});
    }
    packed.pairs.push_back(pair);
  }
}

}  // namespace

void pack_panels(PanelWeights& packed,
                 const std::function<std::uint32_t(std::int64_t, std::int64_t, std::int64_t)>& weight) {
  const std::int64_t inputs = packed.taps * packed.elements;
  packed.block = block_inputs();
  packed.blocks = (inputs + packed.block - 1) / packed.block;
  packed.chunks = (packed.out_c + kPanelChunk - 1) / kPanelChunk;
  for (std::int64_t begin = 0; begin < inputs; begin += packed.block)
    for (std::int64_t channel = 0; channel < packed.out_c; channel += kPanelChunk) {
      Rows rows(static_cast<std::size_t>(std::min<std::int64_t>(kPanelChunk, packed.out_c - channel)));
      for (std::size_t c = 0; c < rows.size(); ++c)
        for (std::int64_t i = begin; i < std::min(inputs, begin + packed.block); ++i)
          if (const std::uint32_t w =
                  weight(channel + static_cast<std::int64_t>(c), i / packed.elements, i % packed.elements);
              w != 0)
            rows[c].push_back({w, static_cast<std::uint32_t>(i - begin)});
      packed.first.push_back(static_cast<std::int64_t>(packed.pairs.size()));
      pair_up(rows, channel, packed);
    }
  packed.first.push_back(static_cast<std::int64_t>(packed.pairs.size()));
}

std::size_t PanelWeights::bytes() const noexcept {
  return entries.size() * sizeof(PanelEntry) + pairs.size() * sizeof(PanelPair) + first.size() * sizeof(std::int64_t) +
         padding.size() * sizeof(std::uint32_t);
}

double PanelWeights::density() const noexcept {
  return static_cast<double>(entries.size()) / static_cast<double>(std::max<std::int64_t>(1, taps * elements * out_c));
}

}  // namespace pare::kernels
