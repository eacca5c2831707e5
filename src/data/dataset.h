// A data set: samples by index, in up to three splits, preprocessed to what the model wants.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pare/tensor.h"

namespace pare::data {

/// What one sample holds before batching: one tensor per model input (without the batch axis) and its label.
struct Sample {
  NamedTensors inputs;      ///< keyed by input name; a lone image source uses the key "" (= the model's only input)
  std::int64_t label = -1;  ///< −1: none
};

/// A format reader (one row in readers.inc). Thread-safe after construction; samples are raw: uint8 HWC for images,
/// the stored dtype for arrays.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::int64_t size() const = 0;
  virtual Sample read(std::int64_t index) const = 0;  ///< throws Error(kBadInput) naming the file and index
  virtual bool labelled() const = 0;
  virtual bool images() const = 0;  ///< true: uint8 HWC, preprocessing and augmentation apply
  /// The label alone, without decoding the sample; −1 when unlabelled.
  virtual std::int64_t label(std::int64_t index) const = 0;
  /// What a regression model should say of each sample: f32 [N, …]; undefined without `targets`.
  virtual Tensor targets() const { return {}; }
  /// How messages name a sample: "train.csv line 3 (cats/7.jpg)".
  virtual std::string where(std::int64_t index) const = 0;
  /// The files that the samples come from, for fingerprints.
  virtual std::vector<std::filesystem::path> files() const = 0;
  /// Number of classes where the format knows it (imagefolder); 0 otherwise (largest label + 1 is a lower bound).
  virtual std::int64_t classes() const { return 0; }
};

/// v/scale, then (v − mean)/std per channel; after resize (Pillow's antialiased filters) and centre crop.
struct Preprocess {
  double scale = 1;
  std::vector<double> mean, std;
  std::optional<std::pair<int, int>> resize;  ///< height, width; one number in YAML: the shorter side
  bool resize_shorter_side = false;
  std::string interpolation = "bilinear";   ///< or "bicubic"
  std::optional<std::pair<int, int>> crop;  ///< centre crop, height, width
  std::string layout = "NCHW";              ///< or "NHWC"
  std::string color;                        ///< "", "rgb", "bgr", "gray"
};

struct Augment {
  int pad_crop = 0;
  bool hflip = false;
};

struct Batch {
  NamedTensors inputs;                ///< first axis: batch
  std::vector<std::int64_t> labels;   ///< empty when unlabelled
  Tensor targets;                     ///< f32 [N, …] for regression, else undefined
  std::vector<std::int64_t> indices;  ///< positions within the split
};

/// One split, ready to read. Immutable and thread-safe.
class Split {
 public:
  virtual ~Split() = default;
  virtual std::int64_t size() const = 0;
  virtual bool labelled() const = 0;                 ///< has class labels
  virtual bool regression() const { return false; }  ///< has targets in place of labels
  virtual std::int64_t classes() const = 0;          ///< largest label + 1 or what the format says; 0 unlabelled
  /// Assembles the samples. With `augment_epoch` ≥ 0 the split's augmentation applies, drawn from (seed, epoch,
  /// sample).
  virtual Batch batch(const std::vector<std::int64_t>& indices, std::uint64_t seed = 0,
                      std::int64_t augment_epoch = -1) const = 0;
  /// A view of some samples.
  virtual std::shared_ptr<const Split> subset(std::vector<std::int64_t> indices) const = 0;
  /// Hash of what identifies the data: files with sizes and mtimes, preprocessing, held-out rule.
  virtual std::string fingerprint() const = 0;
};

/// An input or output of the model, checked against the data when the data set is opened.
struct PortSpec {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> dims;  ///< −1: any
};
using InputSpec = PortSpec;

struct ModelPorts {
  std::vector<PortSpec> inputs;
  std::vector<PortSpec> outputs;  ///< that labels or targets can speak of: floats; the first is taken unless told
};

struct Dataset {
  std::shared_ptr<const Split> train, val, test;  ///< null when the YAML has none; val: held out of train by default
  std::string description;                        ///< "idx, 54000 train, 6000 val (held out), 10000 test"
  std::string output = {};  ///< the model's output that the YAML says labels or targets speak of; "": it does not say
};

/// Reads a data YAML (formats and keys: DESIGN §3, docs/data.md). Paths are relative to the YAML file. Unknown keys,
/// missing files, wrong sizes, labels beyond the classes of the output that they speak of, targets of another shape:
/// Error(kBadInput or kUsage) naming the key. Each split is opened eagerly enough to find such faults. `seed` chooses
/// the samples held out of train; leave it 0, so that runs with different seeds are judged on the same val.
Dataset open_dataset(const std::filesystem::path& yaml, const ModelPorts& model, std::uint64_t seed = 0);
/// For a model of one output [N, classes] (0: not known).
Dataset open_dataset(const std::filesystem::path& yaml, const std::vector<InputSpec>& inputs, std::int64_t classes = 0,
                     std::uint64_t seed = 0);

/// Names of the formats (rows of readers.inc) with one line of help each, for docs and --help.
struct ReaderInfo {
  std::string name, summary;
};
std::vector<ReaderInfo> readers();

}  // namespace pare::data
