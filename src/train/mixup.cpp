#include "train/mixup.h"

namespace pare::train {

Answers Answers::narrowed(std::int64_t begin, std::int64_t end) const {
  const auto part = [&](const std::vector<std::int64_t>& list) {
    return list.empty() ? list : std::vector<std::int64_t>(list.begin() + begin, list.begin() + end);
  };
  return {part(labels), targets.defined() ? targets.narrow(0, begin, end - begin) : targets, part(partners), share};
}

double mixing_share(double alpha, const at::Generator& generator) {
  const at::Tensor drawn =
      at::_standard_gamma(at::full({2}, alpha, at::device(generator.device()).dtype(at::kDouble)), generator);
  return (drawn[0] / drawn.sum()).item<double>();  // X / (X + Y) of two Gammas is a Beta
}

void mix(std::vector<at::Tensor>& inputs, Answers& answers, double share) {
  const auto mixed = [&](const at::Tensor& tensor) { return tensor.lerp(tensor.flip(0), 1 - share); };
  for (at::Tensor& input : inputs) input = mixed(input);
  if (answers.targets.defined()) answers.targets = mixed(answers.targets);
  answers.partners.assign(answers.labels.rbegin(), answers.labels.rend());
  answers.share = share;
}

}  // namespace pare::train
