#include "compress/checkpoint.h"

#include "base/file.h"
#include "base/hash.h"
#include "pare/error.h"

namespace pare::compress {
namespace {

using nlohmann::json;
constexpr std::string_view kStateFile = "state.json";
constexpr std::string_view kTrainingFile = "training.ckpt";
constexpr std::string_view kRoundFile = "round.ckpt";
constexpr int kVersion = 1;

/// A bundle is one line of JSON {"head", "blobs": [[name, size] …], "hash"} and the blobs end to end.
std::string pack(const json& head, const std::map<std::string, std::string>& blobs) {
  json index = json::array();
  std::string body;
  for (const auto& [name, blob] : blobs) {
    index.push_back({name, blob.size()});
    body += blob;
  }
  return json{{"head", head}, {"blobs", index}, {"hash", hash_hex(body)}}.dump() + "\n" + body;
}

std::pair<json, std::map<std::string, std::string>> unpack(const std::string& bytes, const fs::path& path) {
  auto damaged = [&] { return Error(ErrorCode::kBadInput, path.string(), "the checkpoint is damaged"); };
  std::size_t newline = bytes.find('\n');
  if (newline == std::string::npos) throw damaged();
  json line = json::parse(bytes.substr(0, newline), nullptr, false);
  if (!line.is_object() || !line.contains("blobs") || !line.contains("head") || !line.contains("hash")) throw damaged();
  std::string_view body = std::string_view(bytes).substr(newline + 1);
  if (hash_hex(body) != line["hash"].get<std::string>()) throw damaged();
  std::map<std::string, std::string> blobs;
  std::size_t at = 0;
  for (const json& entry : line["blobs"]) {
    auto size = entry.at(1).get<std::size_t>();
    if (size > body.size() - at) throw damaged();
    blobs[entry.at(0)] = std::string(body.substr(at, size));
    at += size;
  }
  return {line["head"], std::move(blobs)};
}

std::map<std::string, std::string> mask_blobs(const ir::Graph& graph) {
  std::map<std::string, std::string> blobs;
  for (ir::ValueId id : graph.values()) {
    const ir::Value& value = graph.value(id);
    if (value.mask)
      blobs[value.name] = std::string(reinterpret_cast<const char*>(value.mask->raw()), value.mask->bytes());
  }
  return blobs;
}

void restore_masks(ir::Graph& graph, const std::map<std::string, std::string>& blobs, const fs::path& path) {
  for (const auto& [name, blob] : blobs) {
    ir::ValueId id = graph.find_value(name);
    if (id == ir::kNoValue || !graph.value(id).constant ||
        static_cast<std::size_t>(graph.value(id).constant->numel()) != blob.size())
      throw Error(ErrorCode::kBadInput, path.string(),
                  "the mask of '" + name + "' does not fit the checkpoint's model");
    Tensor mask = Tensor::from(graph.value(id).constant->dims(), std::vector<std::uint8_t>(blob.begin(), blob.end()));
    graph.value(id).mask = std::move(mask);
  }
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw Error(ErrorCode::kIo, folder.string(), "cannot make the folder: " + error.message());
}

}  // namespace

CheckpointStore::CheckpointStore(fs::path folder, Identity identity, const exec::ModelStore& store, bool resume)
    : folder_(std::move(folder)), identity_(std::move(identity)), store_(store) {
  std::error_code ignored;
  if (resume) {
    for (std::string_view file : {kStateFile, kRoundFile, kTrainingFile})
      if (fs::exists(folder_ / file, ignored)) {
        auto [head, blobs] = unpack(read_file(folder_ / file), folder_ / file);
        refuse_changes(head);
        if (file == kStateFile) steps_done_ = head.at("steps_done").get<std::size_t>();
        if (file == kRoundFile && head.at("steps_done") == steps_done_) round_ = head.at("round").get<std::int64_t>();
      }
    return;
  }
  for (std::string_view file : {kTrainingFile, kRoundFile, kStateFile}) {
    std::error_code error;
    fs::remove(folder_ / file, error);
    if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory)
      throw Error(ErrorCode::kIo, (folder_ / file).string(), "cannot remove the old checkpoint: " + error.message());
  }
}

void CheckpointStore::refuse_changes(const json& saved) const {
  if (saved.value("version", 0) != kVersion)
    throw Error(ErrorCode::kUsage, folder_.string(), "cannot resume: the checkpoint is of another version of Pare");
  for (const auto& [name, hash] : identity_)
    if (saved.at("identity").value(name, "") != hash)
      throw Error(ErrorCode::kUsage, folder_.string(), "cannot resume: the " + name + " changed since the checkpoint",
                  saved.at("identity").value(name, "nothing"), hash);
}

std::string CheckpointStore::model_file(std::size_t steps_done, std::int64_t round) const {
  return "step_" + std::to_string(steps_done) + (round ? "_round_" + std::to_string(round) : "") + ".onnx";
}

/// What is not there any more, or cannot be removed, harms nothing.
void CheckpointStore::drop_rounds(std::int64_t last) {
  std::error_code ignored;
  for (std::int64_t round = 1; round <= last; ++round)
    for (const char* part : {"", ".data"}) fs::remove(folder_ / (model_file(steps_done_, round) + part), ignored);
}

std::optional<CheckpointStore::StepState> CheckpointStore::load_step() const {
  const fs::path path = folder_ / kStateFile;
  if (!fs::exists(path)) return std::nullopt;
  auto [head, blobs] = unpack(read_file(path), path);
  StepState state;
  state.steps_done = head.at("steps_done").get<std::size_t>();
  state.run = head.at("run");
  state.model = store_.load((folder_ / model_file(state.steps_done)).string());
  restore_masks(state.model.graph, blobs, path);
  return state;
}

void CheckpointStore::save_step(const StepState& state) {
  make_folder(folder_);
  store_.save(state.model, (folder_ / model_file(state.steps_done)).string());
  json head = {{"version", kVersion}, {"identity", identity_}, {"steps_done", state.steps_done}, {"run", state.run}};
  write_file_atomically(folder_ / kStateFile, pack(head, mask_blobs(state.model.graph)));
  // From here the new state counts; what it replaces is only room on the disk, so a failed removal harms nothing.
  std::error_code ignored;
  fs::remove(folder_ / kTrainingFile, ignored);
  fs::remove(folder_ / kRoundFile, ignored);
  drop_rounds(round_);
  round_ = 0;
  if (state.steps_done > 0) {
    fs::remove(folder_ / model_file(steps_done_ == state.steps_done ? state.steps_done - 1 : steps_done_), ignored);
    fs::remove(folder_ / (model_file(state.steps_done - 1) + ".data"), ignored);
  }
  steps_done_ = state.steps_done;
}

std::optional<CheckpointStore::TrainingState> CheckpointStore::load_training() const {
  const fs::path path = folder_ / kTrainingFile;
  if (!fs::exists(path)) return std::nullopt;
  auto [head, blobs] = unpack(read_file(path), path);
  if (head.at("steps_done").get<std::size_t>() != steps_done_ || head.value("round", std::int64_t{0}) != round_)
    return std::nullopt;  // left over from a finished step or round
  return TrainingState{head.at("loop"), std::move(blobs)};
}

void CheckpointStore::save_training(const TrainingState& state) {
  make_folder(folder_);
  json head = {{"version", kVersion}, {"identity", identity_}, {"steps_done", steps_done_},
               {"round", round_},     {"loop", state.loop}};
  write_file_atomically(folder_ / kTrainingFile, pack(head, state.blobs));
}

std::optional<CheckpointStore::RoundState> CheckpointStore::load_round() const {
  if (round_ == 0) return std::nullopt;
  const fs::path path = folder_ / kRoundFile;
  auto [head, blobs] = unpack(read_file(path), path);
  RoundState state{round_, store_.load((folder_ / model_file(steps_done_, round_)).string()), head.at("record")};
  restore_masks(state.model.graph, blobs, path);
  return state;
}

void CheckpointStore::save_round(const RoundState& state) {
  make_folder(folder_);
  store_.save(state.model, (folder_ / model_file(steps_done_, state.round)).string());
  json head = {{"version", kVersion},   {"identity", identity_},   {"steps_done", steps_done_},
               {"round", state.round}, {"record", state.record}};
  write_file_atomically(folder_ / kRoundFile, pack(head, mask_blobs(state.model.graph)));
  std::error_code ignored;
  fs::remove(folder_ / kTrainingFile, ignored);
  drop_rounds(state.round - 1);
  round_ = state.round;
}

}  // namespace pare::compress
