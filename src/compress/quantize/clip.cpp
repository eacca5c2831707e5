#include "compress/quantize/clip.h"

#include <vector>

namespace pare::compress {
namespace {

constexpr std::size_t kMost = 256;

/// The column and the row of H that each element of a weight meets.
struct Places {
  std::vector<std::size_t> row;     ///< of H's [groups · columns, columns]
  std::vector<std::size_t> column;
};

Places places_of(const ir::WeightView& view, std::int64_t groups) {
  const std::int64_t n = view.taps * view.inputs, each = view.outputs / groups;
  Places places;
  places.row.resize(static_cast<std::size_t>(view.outputs * n));
  places.column.resize(places.row.size());
  for (std::int64_t o = 0; o < view.outputs; ++o)
    for (std::int64_t c = 0; c < n; ++c) {
      const auto at = static_cast<std::size_t>(view.index(o, c / view.inputs, c % view.inputs));
      places.row[at] = static_cast<std::size_t>(o / each * n + c);
      places.column[at] = static_cast<std::size_t>(c);
    }
  return places;
}

}  // namespace

passes::QuantParams clipped_by_output(const Tensor& weight, const ir::WeightRef& layer, const WeightSpec& spec,
                                      std::span<const double> hessian, std::int64_t groups) {
  const auto n = static_cast<std::size_t>(layer.view.taps * layer.view.inputs);
  const Places places = places_of(layer.view, groups);
  return weight_params(weight, layer.output_axis, spec,
                       [&](std::span<const std::size_t> elements, std::span<const double> off) {
                         double error = 0;
                         for (std::size_t i = 0; i < off.size(); ++i) {
                           const double* h = &hessian[places.row[elements[i]] * n];
                           if (off.size() > kMost) {
                             error += off[i] * off[i] * h[places.column[elements[i]]];
                             continue;
                           }
                           double slope = 0;
                           for (std::size_t j = 0; j < off.size(); ++j)
                             slope += h[places.column[elements[j]]] * off[j];
                           error += off[i] * slope;
                         }
                         return error;
                       });
}

}  // namespace pare::compress
