// Hessian-vector products by differentiating twice (Pearlmutter 1994), and the traces that they estimate.
#include "train/device.h"
#include "train/loss.h"
#include "train/scope.h"
#include "train/tensors.h"
#include "train/trainer.h"

namespace pare::train {
namespace {

using torch::autograd::grad;

/// ±1 with equal chance (Rademacher), in the parameters' shapes.
std::vector<at::Tensor> random_signs(const std::vector<at::Tensor>& like, const at::Generator& generator) {
  std::vector<at::Tensor> signs;
  for (const at::Tensor& tensor : like)
    signs.push_back(
        at::randint(0, 2, tensor.sizes(), generator, tensor.options().requires_grad(false)).mul_(2).sub_(1));
  return signs;
}

/// Σ over parameters of gradient · signs; undefined where no gradient depends on a parameter.
at::Tensor directional(const std::vector<at::Tensor>& gradients, const std::vector<at::Tensor>& signs) {
  at::Tensor sum;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined() || !gradients[i].requires_grad()) continue;
    const at::Tensor part = (gradients[i] * signs[i]).sum();
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

}  // namespace

std::map<std::string, double> TorchTrainer::hessian_traces(const data::Batch& batch, std::uint64_t probe) {
  require_answers(batch);
  const TorchScope scope(options_.threads);
  return guarded("Hessian", [&] {
    const std::vector<at::Tensor> inputs = student_.bind(batch.inputs);
    const bool regression = batch.targets.defined();
    const Judged student = run_student(inputs, false, regression);
    const Judged teacher = teacher_ ? run_teacher(inputs, student, regression) : Judged{};
    const Answers answers{batch.labels, regression ? borrow(batch.targets) : at::Tensor(), {}, 1};
    const auto [loss, result] = compare(student, teacher, answers);
    require_finite(result.loss, "the loss");
    std::vector<at::Tensor> parameters;
    for (const Network::Entry& entry : student_.parameters()) parameters.push_back(student_.tensor(entry));
    std::vector<at::Tensor> gradients(parameters.size());
    if (loss.requires_grad())
      gradients = grad({loss}, parameters, {}, /*retain_graph=*/true, /*create_graph=*/true, true);
    const auto signs = random_signs(parameters, make_generator(device_, options_.seed * 0x9E3779B97F4A7C15U + probe));
    const at::Tensor slope = directional(gradients, signs);
    std::vector<at::Tensor> products(parameters.size());
    if (slope.defined()) products = grad({slope}, parameters, {}, false, false, true);
    std::map<std::string, double> traces;
    for (std::size_t i = 0; i < parameters.size(); ++i)
      traces[student_.parameters()[i].name] = products[i].defined() ? (products[i] * signs[i]).sum().item<double>() : 0;
    return traces;
  });
}

}  // namespace pare::train
