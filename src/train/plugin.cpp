// The plug-in's entry and factory.
#include "exec/trainer.h"
#include "pare_build_id.h"
#include "train/program.h"
#include "train/scope.h"
#include "train/trainer.h"

namespace pare::train {
namespace {

class Factory : public exec::TrainerFactory {
 public:
  std::vector<exec::Refusal> refusals(const ir::Model& model) const override {
    return guarded("model", [&] {
      std::vector<exec::Refusal> refusals;
      lower(expand_fused(model), refusals);
      return refusals;
    });
  }

  std::unique_ptr<exec::Trainer> create(const ir::Model& student, const ir::Model* teacher,
                                        const exec::TrainerOptions& options) const override {
    if (options.threads < 1) {
      throw Error(ErrorCode::kUsage, "threads", "must be positive", "1 or more", std::to_string(options.threads));
    }
    const TorchScope scope(options.threads);
    return guarded("model", [&]() -> std::unique_ptr<exec::Trainer> {
      return std::make_unique<TorchTrainer>(student, teacher, options);
    });
  }
};

}  // namespace
}  // namespace pare::train

extern "C" __attribute__((visibility("default"))) const pare::exec::TrainPlugin* pare_train_plugin() {
  static const pare::train::Factory factory;
  static const pare::exec::TrainPlugin plugin{pare::exec::kTrainPluginAbi, PARE_BUILD_ID, &factory};
  return &plugin;
}
