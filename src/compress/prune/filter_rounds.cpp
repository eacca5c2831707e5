#include "compress/prune/filter_rounds.h"

#include <algorithm>
#include <cmath>

#include "compress/checkpoint.h"
#include "compress/prune/cost_share.h"
#include "compress/prune/unit_removal.h"
#include "compress/training/train_model.h"
#include "ir/infer.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;

std::int64_t rounds_of(const json& options) { return options.at("rounds"); }

/// The step's options with one round's part of the epochs.
json options_of_round(const json& options) {
  json own = options;
  own["epochs"] = options.at("epochs").get<double>() / static_cast<double>(rounds_of(options));
  return own;
}

/// The same context for one round: its options and its record.
StepContext context_of_round(const StepContext& context, const json& options, json& record) {
  return {options,           context.original, context.dataset,     context.backend, context.trainer,
          context.execution, context.control,  context.checkpoints, record,          context.store};
}

void train_round(ir::Model& model, std::int64_t round, StepContext& context) {
  const std::int64_t rounds = rounds_of(context.options);
  context.execution.seed += static_cast<std::uint64_t>(round - 1);  // another order of the samples
  train_model(model, context, {},
              rounds == 1 ? "prune" : "prune round " + std::to_string(round) + "/" + std::to_string(rounds));
}

/// What a checkpoint gives, so that a resumed run takes the very same way.
void checkpoint(ir::Model& model, std::int64_t round, const json& records, const StepContext& context) {
  if (!context.checkpoints) return;
  context.checkpoints->save_round({round, model, records});
  model = context.checkpoints->load_round()->model;
  ir::infer_shapes(model);
}

/// The rounds' curves one after the other, epochs and steps counted through.
json joined_curve(const json& records) {
  json curve = json::array();
  for (std::size_t r = 0; r < records.size(); ++r) {
    const std::int64_t epochs = curve.empty() ? 0 : curve.back().at("epoch").get<std::int64_t>(),
                       steps = curve.empty() ? 0 : curve.back().at("step").get<std::int64_t>();
    for (json point : records[r].value("curve", json::array())) {
      point["epoch"] = point.at("epoch").get<std::int64_t>() + epochs;
      point["step"] = point.at("step").get<std::int64_t>() + steps;
      curve.push_back(std::move(point));
    }
  }
  return curve;
}

/// What all removals come to: channels before the first and after the last.
json joined_filters(const json& records) {
  json all = records[0].at("filters");
  for (std::size_t r = 1; r < records.size(); ++r) {
    const json& now = records[r].at("filters");
    all["channels_after"] = now.at("channels_after");
    for (const json& group : now.at("groups"))
      for (json& known : all["groups"])
        if (known.at("group") == group.at("group")) {
          known["kept"] = group.at("kept");
          if (known.at("kept") < known.at("channels")) known["reason"] = nullptr;
        }
  }
  return all;
}

void record_rounds(const json& records, json& record) {
  for (const json& one : records)
    for (const json& note : one.at("notes"))
      if (auto& notes = record["notes"]; std::find(notes.begin(), notes.end(), note) == notes.end())
        notes.push_back(note);
  for (const char* key : {"budget", "reconstruction", "trainer", "distill"})
    if (records.back().contains(key)) record[key] = records.back().at(key);
  record["importance"] = records[0].at("importance");
  record["filters"] = joined_filters(records);
  record["curve"] = joined_curve(records);
  if (record["filters"]["channels_before"] == record["filters"]["channels_after"])
    record["notes"].push_back("no channel was removed; the record says why for each group");
  if (records.size() == 1) return;
  record["rounds"] = json::array();
  for (std::size_t r = 0; r < records.size(); ++r) {
    json own = records[r];
    for (const char* key : {"trainer", "distill", "importance", "notes"}) own.erase(key);
    own["filters"].erase("groups");
    own["round"] = r + 1;
    record["rounds"].push_back(std::move(own));
  }
}

}  // namespace

void validate_rounds(const ir::Model& model, const StepContext& context) {
  validate_training(model, context, "prune");
  if (const json& distill = context.options.at("distill"); !distill.is_null() && !distill.at("features").empty())
    throw Error(ErrorCode::kUsage, "prune.distill.features",
                "channels go, so that values are no longer of the teacher's shape", "none",
                distill.at("features").dump());
  const LoopOptions options = loop_options(options_of_round(context.options));
  const auto steps = static_cast<double>(steps_per_epoch(options, context.dataset.train->size())) * options.epochs;
  if (std::llround(steps) < 1)
    throw Error(ErrorCode::kUsage, "prune.rounds", "needs a step of training for each", "more epochs or fewer rounds",
                context.options.at("epochs").dump() + " epochs in " + context.options.at("rounds").dump());
}

void remove_in_rounds(ir::Model& model, StepContext& context) {
  const ir::Model before = model;
  const std::int64_t rounds = rounds_of(context.options);
  const bool trains = context.options.at("epochs").get<double>() > 0;
  const json options = options_of_round(context.options);
  const UnitRemoval removal(before, rounds, context);
  json records = json::array();
  std::int64_t round = 1;
  bool removed = false;
  if (auto saved = context.checkpoints ? context.checkpoints->load_round() : std::nullopt) {
    model = std::move(saved->model);
    ir::infer_shapes(model);
    records = std::move(saved->record);
    round = saved->round;
    removed = true;
  }
  for (; round <= rounds; ++round, removed = false) {
    if (!removed) {
      records.push_back({{"notes", json::array()}, {"curve", json::array()}});
      StepContext own = context_of_round(context, options, records.back());
      removal.remove(model, round, own);
      CostShare macs(before, "macs", own);
      records.back()["macs"] = macs(model);
      if (trains) checkpoint(model, round, records, context);
    }
    StepContext own = context_of_round(context, options, records.back());
    if (trains) train_round(model, round, own);
    if (rounds > 1) context.control.report({"prune", round, rounds, "rounds", {}, -1});
  }
  record_rounds(records, context.record);
}

}  // namespace pare::compress
