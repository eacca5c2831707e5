// A run record with something in every member, `layers` layers long.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace pare::test {

inline nlohmann::json summary(double top1, double loss, double file, double gzip, double nonzero, double median) {
  const auto metrics = [&](int samples, double value) {
    return nlohmann::json{{"samples", samples},
                          {"top1", value},
                          {"top1_interval", {value - 0.47, value + 0.45}},
                          {"top5", 99.81},
                          {"loss", loss},
                          {"agreement", 98.7},
                          {"agreement_interval", {98.5, 98.9}},
                          {"snr_db", 21.5}};
  };
  return {{"val", metrics(6000, top1 + 0.2)},
          {"test", metrics(10000, top1)},
          {"latency", {{"median_ms", median}, {"p90_ms", median * 1.12}, {"threads", 2}, {"batch", 1}}},
          {"file_bytes", file},
          {"gzip_bytes", gzip},
          {"parameters", 1223626},
          {"nonzero_parameters", nonzero},
          {"macs", 40123456},
          {"peak_memory_bytes", 61000000}};
}

inline nlohmann::json rich_run(int layers = 12) {
  using Json = nlohmann::json;
  Json run = {
      {"format", "pare-run"},
      {"version", 1},
      {"command", "pare compress fmnist_resnet10.onnx --recipe r.yaml --data \"fm & n.yaml\" -o out"},
      {"started", "2026-11-22T20:00:00Z"},
      {"seconds", 512.3},
      {"seed", 7},
      {"metric", "top1"},
      {"model", {{"path", "models/fmnist_resnet10.onnx"}, {"hash", "0123456789abcdef"}, {"name", "fmnist_resnet10"}}},
      {"data",
       {{"description", "Fashion-MNIST, idx"},
        {"fingerprint", "feedface"},
        {"train", 54000},
        {"val", 6000},
        {"test", 10000}}},
      {"recipe",
       "steps:\n  - prune: {method: magnitude, pattern: \"8:64\"}\n  - finetune: {epochs: 4}\n  - quantize: {method: "
       "static}\ngate: {max_drop: 0.9}\n"},
      {"environment",
       {{"pare", "0.1.0"},
        {"commit", "abcdef"},
        {"cpu", "Some CPU <9000>"},
        {"isa", "avx512vnni"},
        {"cores", 2},
        {"threads", 2},
        {"os", "Debian 12"},
        {"compiler", "gcc 12"},
        {"trainer", nullptr}}},
      {"gate", {{"max_drop", 0.9}, {"drop", 0.41}, {"split", "val"}, {"passed", true}}},
      {"notes", {"zeros of the original model were kept"}},
      {"outputs", {{"model", "model.onnx"}, {"report", "report.html"}}}};
  run["before"] = summary(93.91, 0.1873, 4904119, 4541000, 1223626, 1.42);
  run["after"] = summary(93.50, 0.2011, 1240000, 188430, 163000, 0.74);
  Json curve = Json::array();
  for (int epoch = 1; epoch <= 4; ++epoch)
    curve.push_back({{"epoch", epoch},
                     {"step", epoch * 844},
                     {"lr", 0.01},
                     {"train_loss", 0.6 / epoch + 0.05},
                     {"train_top1", 97.0 - 4.0 / epoch},
                     {"val_loss", 0.5 / epoch + 0.2},
                     {"val_top1", 94.2 - 2.0 / epoch},
                     {"samples_per_s", 5321}});
  run["steps"] = {{{"step", "prune"},
                    {"importance", {{"low", 0}, {"high", 2.0}, {"all", {7, 0, 5, 2}}, {"kept", {0, 0, 4, 2}}}},
                   {"method", "magnitude"},
                   {"options", {{"pattern", "8:64"}, {"schedule", "cubic"}}},
                   {"seconds", 301.5},
                   {"summary", summary(93.60, 0.1990, 4904119, 760000, 163000, 1.41)},
                   {"latency_before", {{"median_ms", 1.762}}},  
                   {"paid", false},
                   {"notes", {"float kernels do not use this pattern: latency is unchanged"}},
                   {"curve", curve}},
                  {{"step", "quantize"},
                   {"method", "static"},
                   {"options", {{"bits", 8}}},
                   {"seconds", 12.0},
                   {"summary", summary(93.50, 0.2011, 1240000, 188430, 163000, 0.74)},
                   {"paid", true},
                   {"notes", Json::array()},
                   {"curve", Json::array()}}};
  run["layers"] = Json::array();
  for (int i = 0; i < layers; ++i) {
    const double size = 1000.0 * (i + 1);
    run["layers"].push_back(
        {{"node", "/layer" + std::to_string(i / 4) + "/block" + std::to_string(i % 4) + "/conv/Conv"},
         {"op_type", "Conv"},
         {"weight", "w" + std::to_string(i)},
         {"dims", {64, 64, 3, 3}},
         {"before",
          {{"parameters", size},
           {"macs", size * 196},
           {"bytes", size * 4},
           {"bits", 32},
           {"sparsity", 0.0},
           {"pattern", nullptr},
           {"latency_ms", 0.02 * (i + 1)},
           {"kernel", "conv_f32__onednn"}}},
         {"after",
          {{"parameters", size},
           {"macs", size * 196},
           {"bytes", size / 3},
           {"bits", 8},
           {"sparsity", i == 0 ? 0.0 : 0.875},
           {"pattern", i == 0 ? Json(nullptr) : Json("8:64")},
           {"latency_ms", 0.009 * (i + 1)},
           {"kernel", "spmm_u8s8s32__avx512vnni_vbmi_q64"}}},
         {"paid", i != 1}});
  }
  return run;
}

}  // namespace pare::test
