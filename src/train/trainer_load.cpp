// Taking a saved state over: everything is read and checked before anything changes.
#include <utility>

#include "train/scope.h"
#include "train/state.h"
#include "train/tensors.h"
#include "train/trainer.h"

namespace pare::train {
namespace {

struct ParameterState {
  Tensor value, mask;
  std::vector<Tensor> moments;
};

[[noreturn]] void mismatch(const std::string& problem, const std::string& expected, const std::string& got) {
  throw Error(ErrorCode::kBadInput, "training state", problem, expected, got);
}

Tensor read_like(StateReader& reader, const at::Tensor& like, const std::string& name) {
  Tensor tensor = reader.tensor();
  if (tensor.dtype() != DType::kFloat32 || !at::IntArrayRef(tensor.dims()).equals(like.sizes())) {
    mismatch("has another shape for " + name, to_string(Dims(like.sizes().vec())), to_string(tensor.dims()));
  }
  return tensor;
}

void expect_count(StateReader& reader, std::size_t count) {
  const std::int64_t stored = reader.number();
  if (stored != static_cast<std::int64_t>(count))
    mismatch("is of another model", std::to_string(count), std::to_string(stored));
}

void expect_text(StateReader& reader, const std::string& wanted) {
  if (const std::string stored = reader.text(); stored != wanted) mismatch("is of another training", wanted, stored);
}

}  // namespace

void TorchTrainer::load_state(const std::string& bytes) {
  StateReader reader(bytes);
  expect_text(reader, options_.optimizer.kind);
  const std::int64_t steps = reader.number();
  const Tensor generator = reader.tensor();
  const std::vector<Network::Entry>&entries = student_.parameters(), &statistics = student_.statistics();
  expect_count(reader, entries.size());
  std::vector<ParameterState> parameters(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    expect_text(reader, entries[i].name);
    const at::Tensor like = student_.tensor(entries[i]);
    parameters[i].value = read_like(reader, like, entries[i].name);
    parameters[i].mask = reader.tensor();
    if (parameters[i].mask.defined() && !at::IntArrayRef(parameters[i].mask.dims()).equals(like.sizes())) {
      mismatch("has another mask for " + entries[i].name, to_string(Dims(like.sizes().vec())),
               to_string(parameters[i].mask.dims()));
    }
    for (std::size_t m = 0; m < optimizer_->moments(i).size(); ++m) {
      parameters[i].moments.push_back(read_like(reader, like, entries[i].name));
    }
  }
  expect_count(reader, statistics.size());
  std::vector<Tensor> running;
  for (const Network::Entry& entry : statistics) {
    expect_text(reader, entry.name);
    running.push_back(read_like(reader, student_.tensor(entry), entry.name));
  }
  reader.finish();

  guarded("training state", [&] {
    const at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      student_.tensor(entries[i]).copy_(borrow(parameters[i].value));
      const std::vector<at::Tensor> moments = optimizer_->moments(i);
      for (std::size_t m = 0; m < moments.size(); ++m) moments[m].copy_(borrow(parameters[i].moments[m]));
      optimizer_->set_mask(i, parameters[i].mask.defined() ? borrow(parameters[i].mask) : at::Tensor());
    }
    for (std::size_t i = 0; i < statistics.size(); ++i) student_.tensor(statistics[i]).copy_(borrow(running[i]));
    optimizer_->set_steps(steps);
    generator_.set_state(to_torch(generator));
  });
}

}  // namespace pare::train
