#include "pack/coding.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "pack/planes.h"
#include "pack/zstd.h"
#include "pare/error.h"

namespace pare::pack {

namespace {

constexpr std::size_t kTrialBytes = std::size_t{1} << 18;
constexpr double kSparse = 0.2;      // zeros from which a mask of them is tried
constexpr double kZstdGain = 0.995;  // zstd decodes ten times as fast, so a tie is its

std::string_view text_of(const Tensor& t) { return {reinterpret_cast<const char*>(t.raw()), t.bytes()}; }

/// Bytes of an element; several elements of a sub-byte type are one byte.
std::size_t width_of(DType dtype) { return static_cast<std::size_t>(std::max(bits(dtype), 8)) / 8; }

/// The shape that elements of width_of() bytes have.
Dims byte_dims(DType dtype, const Dims& dims, std::size_t bytes) {
  if (bits(dtype) >= 8) return dims;
  const auto whole = static_cast<std::int64_t>(bytes);
  const bool rows = dims.size() > 1 && dims[0] > 0 && whole % dims[0] == 0;
  return rows ? Dims{dims[0], whole / dims[0]} : Dims{whole};
}

std::vector<std::uint8_t> zeros_of(std::string_view elements, std::size_t width) {
  static constexpr char kZero[16] = {};
  std::vector<std::uint8_t> zero(elements.size() / width);
  for (std::size_t i = 0; i < zero.size(); ++i) zero[i] = std::memcmp(elements.data() + i * width, kZero, width) == 0;
  return zero;
}

/// The view of the first outputs, as many as make a trial.
ir::WeightView beginning(ir::WeightView view, std::size_t width) {
  const std::int64_t row = std::max<std::int64_t>(view.taps * view.inputs, 1);
  const auto most = static_cast<std::int64_t>(kTrialBytes / width);
  view.outputs = std::min(view.outputs, std::max<std::int64_t>(most / row, 1));
  if (view.taps == 1) view.inputs = std::min(view.inputs, most);  // one long row
  return view;
}

/// Estimates on the beginning of one tensor.
class Trial {
 public:
  Trial(const Tensor& tensor, const StreamModel& learned)
      : width_(width_of(tensor.dtype())),
        dims_(byte_dims(tensor.dtype(), tensor.dims(), tensor.bytes())),
        text_(text_of(tensor)),
        zero_(zeros_of(text_, width_)),
        learned_(learned) {
    const auto zeros = static_cast<double>(std::count(zero_.begin(), zero_.end(), 1));
    sparse_ = zeros >= kSparse * static_cast<double>(zero_.size());
  }

  bool sparse() const { return sparse_; }
  std::size_t width() const { return width_; }
  bool matrix() const { return dims_.size() == 2 && dims_[0] > 1 && dims_[1] > 1; }

  /// Bits an element.
  double mask(bool column_major) {
    const ir::WeightView view = beginning(view_of(dims_, column_major), width_);
    CostCounter counter;
    MaskModel model = learned_.mask;
    model.code(counter, view, zero_.data());
    return counter.bits() / static_cast<double>(elements(view));
  }
  double bytes(ByteMode mode) {
    const ir::WeightView view = beginning(view_of(dims_, mode.column_major), 1);
    CostCounter counter;
    ByteModel model = learned_.bytes;
    std::string copy(text_);
    model.code(counter, view, mode, mode.masked ? zero_.data() : nullptr, reinterpret_cast<std::uint8_t*>(copy.data()));
    return counter.bits() / static_cast<double>(elements(view)) + (mode.masked ? mask(mode.column_major) : 0);
  }
  double zstd() const {
    const std::string_view part = text_.substr(0, kTrialBytes);
    return 8.0 * static_cast<double>(width_ * compress(part).size()) / static_cast<double>(part.size());
  }
  double planes(bool floats) const {
    const std::string_view part = text_.substr(0, kTrialBytes / width_ * width_);
    return 8.0 * static_cast<double>(width_ * code_planes(part, width_, floats).size()) /
           static_cast<double>(part.size());
  }
  double masked_planes(bool floats, bool column_major) {
    std::string kept;
    const std::size_t most = std::min(zero_.size(), kTrialBytes / width_);
    for (std::size_t i = 0; i < most; ++i)
      if (!zero_[i]) kept += text_.substr(i * width_, width_);
    return mask(column_major) +
           8.0 * static_cast<double>(code_planes(kept, width_, floats).size()) / static_cast<double>(most);
  }

 private:
  static std::int64_t elements(const ir::WeightView& view) { return view.outputs * view.taps * view.inputs; }

  std::size_t width_;
  Dims dims_;
  std::string_view text_;
  std::vector<std::uint8_t> zero_;
  const StreamModel& learned_;
  bool sparse_ = false;
};

/// Keeps the cheapest of what it is offered.
struct Best {
  Record& record;
  double cost;
  void offer(Coding coding, ByteMode mode, double bits) {
    if (bits >= cost) return;
    record.coding = coding, record.mode = mode, cost = bits;
  }
};

void offer_bytes(Trial& trial, DType dtype, Best& best) {
  const auto centre = static_cast<std::uint8_t>(dtype == DType::kUint8 ? 128 : 0);
  for (const bool column : {false, true}) {
    if (column && !trial.matrix()) continue;
    for (const bool masked : {false, true}) {
      if (masked && !trial.sparse()) continue;
      if (bits(dtype) == 8)
        best.offer(Coding::kBytes, {column, masked, true, centre}, trial.bytes({column, masked, true, centre}));
      if (column && !masked) continue;  // symbols have no rows
      best.offer(Coding::kBytes, {column, masked, false, 0}, trial.bytes({column, masked, false, 0}));
    }
  }
}

std::string survivors_of(std::string_view elements, std::size_t width, const std::vector<std::uint8_t>& zero) {
  std::string kept;
  for (std::size_t i = 0; i < zero.size(); ++i)
    if (!zero[i]) kept += elements.substr(i * width, width);
  return kept;
}

void decode_masked_planes(const Record& record, std::string_view own, std::span<const std::uint8_t> zero,
                          std::byte* out) {
  const std::size_t width = width_of(record.dtype);
  const auto kept = static_cast<std::size_t>(std::count(zero.begin(), zero.end(), 0));
  std::string values(kept * width, '\0');
  decode_planes(own, width, is_float(record.dtype), values.data(), values.size());
  const char* next = values.data();
  for (std::size_t i = 0; i < zero.size(); ++i) {
    if (zero[i]) continue;
    std::memcpy(out + i * width, next, width);
    next += width;
  }
}

}  // namespace

void Record::write(FieldWriter& out) const {
  out.varint(static_cast<std::uint64_t>(dtype));
  out.varint(dims.size());
  for (const std::int64_t dim : dims) out.varint(static_cast<std::uint64_t>(dim));
  out.varint(static_cast<std::uint64_t>(coding));
  if (coding == Coding::kStored) {
    out.varint(offset);
    out.word(checksum);
  }
  if (in_stream()) {
    out.varint(stream);
    out.word(mode.to_byte());
  }
  if (has_own()) out.varint(size);
}

Record Record::read(FieldReader& in, std::uint64_t streams) {
  Record record;
  record.dtype = static_cast<DType>(in.varint(26, "element type"));
  if (bits(record.dtype) == 0) throw Damaged("holds a tensor of an impossible element type");
  record.dims.resize(in.varint(64, "rank"));
  for (std::int64_t& dim : record.dims) dim = static_cast<std::int64_t>(in.varint(std::uint64_t{1} << 48, "dimension"));
  record.coding = static_cast<Coding>(in.varint(4, "coding"));
  try {
    record.bytes();
  } catch (const Error&) {
    throw Damaged("holds a tensor too large for any memory: " + to_string(record.dims));
  }
  if (record.coding == Coding::kStored) {
    record.offset = in.varint();
    record.checksum = in.word<std::uint64_t>();
  }
  if (record.in_stream()) {
    record.stream = in.varint();
    if (record.stream >= streams) throw Damaged("names a stream that it does not hold");
    record.mode = ByteMode::from_byte(in.word<std::uint8_t>());
  }
  const std::size_t width = width_of(record.dtype);
  const bool planes = record.coding == Coding::kPlanes || record.coding == Coding::kMaskedPlanes;
  if (planes && (width < 2 || width > 8)) throw Damaged("holds planes of an element type that has none");
  if (record.coding == Coding::kBytes && width != 1) throw Damaged("holds bytes of an element type that is larger");
  if (record.has_own()) record.size = in.varint();
  return record;
}

Record choose(const Tensor& tensor, const StreamModel& learned) {
  Record record;
  record.dtype = tensor.dtype();
  record.dims = tensor.dims();
  if (tensor.bytes() == 0) return record;
  Trial trial(tensor, learned);
  Best best{record, kZstdGain * trial.zstd()};
  record.coding = Coding::kZstd;
  if (trial.width() == 1) {
    offer_bytes(trial, tensor.dtype(), best);
    return record;
  }
  if (trial.width() > 8) return record;
  const bool floats = is_float(tensor.dtype());
  best.offer(Coding::kPlanes, {}, trial.planes(floats));
  for (const bool column : {false, true})
    if (trial.sparse() && (!column || trial.matrix()))
      best.offer(Coding::kMaskedPlanes, {column, true, false, 0}, trial.masked_planes(floats, column));
  return record;
}

std::string encode(const Tensor& tensor, const Record& record, StreamModel& model, RangeEncoder& stream) {
  const std::string_view text = text_of(tensor);
  const std::size_t width = width_of(record.dtype);
  if (record.coding == Coding::kZstd) return compress(text);
  if (record.coding == Coding::kPlanes) return code_planes(text, width, is_float(record.dtype));
  const ir::WeightView view = view_of(byte_dims(record.dtype, record.dims, text.size()), record.mode.column_major);
  std::vector<std::uint8_t> zero;
  if (record.mode.masked) {
    zero = zeros_of(text, width);
    model.mask.code(stream, view, zero.data());
  }
  if (record.coding == Coding::kMaskedPlanes)
    return code_planes(survivors_of(text, width, zero), width, is_float(record.dtype));
  std::string copy(text);
  model.bytes.code(stream, view, record.mode, zero.empty() ? nullptr : zero.data(),
                   reinterpret_cast<std::uint8_t*>(copy.data()));
  return {};
}

void decode(const Record& record, std::string_view own, StreamModel* model, RangeDecoder* stream, std::byte* out) {
  const std::size_t width = width_of(record.dtype), bytes = record.bytes();
  char* text = reinterpret_cast<char*>(out);
  if (record.coding == Coding::kZstd) return decompress_into(own, text, bytes);
  if (record.coding == Coding::kPlanes) return decode_planes(own, width, is_float(record.dtype), text, bytes);
  const ir::WeightView view = view_of(byte_dims(record.dtype, record.dims, bytes), record.mode.column_major);
  std::uint8_t* zero = nullptr;
  Tensor flags;  // memory that is not touched before it is written: the size may be a lie
  if (record.mode.masked || record.coding == Coding::kMaskedPlanes) {
    flags = Tensor(DType::kUint8, {static_cast<std::int64_t>(bytes / width)});
    zero = flags.mutable_data<std::uint8_t>().data();
    model->mask.code(*stream, view, zero);
  }
  if (record.coding == Coding::kMaskedPlanes) return decode_masked_planes(record, own, flags.data<std::uint8_t>(), out);
  model->bytes.code(*stream, view, record.mode, zero, reinterpret_cast<std::uint8_t*>(text));
}

}  // namespace pare::pack
