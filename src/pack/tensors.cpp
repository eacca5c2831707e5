#include "pack/tensors.h"

#include <algorithm>
#include <cstring>

#include "base/threads.h"
#include "pack/coding.h"
#include "pare/error.h"

namespace pare::pack {

namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kStreamBytes =
    std::size_t{4} << 20;  // of tensors: small ones learn from each other, several streams decode in parallel
constexpr std::size_t kLarge = std::size_t{1} << 14;  // bytes of a stored tensor that is checked only when it is read
constexpr std::size_t kLongestRun = std::size_t{1} << 17;  // bytes of a tensor that one coded byte can stand for

std::size_t aligned(std::size_t at, std::size_t to) { return (at + to - 1) / to * to; }

/// Size of the header, header, filling up to a cache line, data. `apart`: the header holds the data's checksums.
SectionContent section_of(const FieldWriter& header, const std::string& data, bool apart) {
  FieldWriter out;
  out.word<std::uint64_t>(header.bytes().size());
  std::string section = out.bytes() + header.bytes();
  section.resize(aligned(section.size(), kLine), '\0');
  const std::size_t head = section.size();
  section += data;
  return {std::move(section), head + (apart ? 0 : data.size())};
}

SectionContent write_stored(const std::vector<Tensor>& tensors) {
  FieldWriter header;
  header.varint(tensors.size());
  header.varint(0);
  std::string data;
  for (const Tensor& tensor : tensors) {
    data.resize(aligned(data.size(), kLine), '\0');
    const std::string_view bytes(reinterpret_cast<const char*>(tensor.raw()), tensor.bytes());
    Record record;
    record.dtype = tensor.dtype(), record.dims = tensor.dims();
    record.offset = data.size(), record.checksum = piece_checksum(bytes);
    record.write(header);
    data.append(bytes);
  }
  return section_of(header, data, true);
}

class SectionWriter {
 public:
  SectionContent run(const std::vector<Tensor>& tensors) {
    for (const Tensor& tensor : tensors) add(tensor);
    close_stream();
    FieldWriter header;
    header.varint(tensors.size());
    header.varint(streams_.size());
    std::string data;
    for (const std::string& stream : streams_) {
      header.varint(stream.size());
      data += stream;
    }
    for (const Record& record : records_) record.write(header);
    return section_of(header, data + own_, false);
  }

 private:
  void add(const Tensor& tensor) {
    if (!model_) {
      model_ = std::make_unique<StreamModel>();
      bytes_.clear();
      encoder_ = std::make_unique<RangeEncoder>(bytes_);
      in_stream_ = 0;
    }
    Record record = choose(tensor, *model_);
    record.stream = streams_.size();
    const std::string own = encode(tensor, record, *model_, *encoder_);
    record.size = own.size();
    own_ += own;
    records_.push_back(std::move(record));
    if (!records_.back().in_stream()) return;
    in_stream_ += tensor.bytes();
    if (in_stream_ >= kStreamBytes) close_stream();
  }
  void close_stream() {
    if (model_ && in_stream_ > 0) {
      encoder_->finish();
      streams_.push_back(bytes_);
    }
    model_.reset();
  }

  std::vector<Record> records_;
  std::vector<std::string> streams_;
  std::string own_, bytes_;
  std::unique_ptr<StreamModel> model_;
  std::unique_ptr<RangeEncoder> encoder_;
  std::size_t in_stream_ = 0;
};

/// What is decoded one after the other: the tensors of a stream, or one tensor by itself.
struct Task {
  std::string_view stream;
  std::vector<std::size_t> tensors;
};

class SectionReader {
 public:
  SectionReader(std::string_view section, std::size_t checked, const std::shared_ptr<const void>& owner,
                const std::string& subject)
      : owner_(owner), subject_(subject), whole_(checked >= section.size()) {
    FieldReader whole(section);
    const auto header_bytes = whole.word<std::uint64_t>();
    FieldReader header(whole.take(header_bytes));
    const std::size_t data_at = aligned(sizeof(std::uint64_t) + header_bytes, kLine);
    if (data_at > section.size() && header_bytes + sizeof(std::uint64_t) != section.size()) throw Damaged("ends early");
    data_ = section.substr(std::min(data_at, section.size()));
    if (checked < std::min(data_at, section.size())) throw Damaged("has a header without a checksum");
    read_header(header);
  }

  std::vector<Tensor> run() {
    tensors_.resize(records_.size());
    for (std::size_t i = 0; i < records_.size(); ++i)
      if (records_[i].coding == Coding::kStored)
        tensors_[i] = view(records_[i]);
      else
        tensors_[i] = Tensor(records_[i].dtype, records_[i].dims);
    parallel_for(static_cast<std::int64_t>(tasks_.size()), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) run(tasks_[static_cast<std::size_t>(i)]);
    });
    return std::move(tensors_);
  }

 private:
  void read_header(FieldReader& header) {
    const std::uint64_t count = header.varint(header.left(), "number of tensors");
    const std::uint64_t streams = header.varint(header.left(), "number of streams");
    FieldReader data(data_);
    for (std::uint64_t i = 0; i < streams; ++i) tasks_.push_back({data.take(header.varint()), {}});
    for (std::uint64_t i = 0; i < count; ++i) {
      records_.push_back(Record::read(header, streams));
      const Record& record = records_.back();
      if (record.coding != Coding::kStored && !whole_) throw Damaged("codes a tensor without a checksum");
      own_.push_back(record.has_own() ? data.take(record.size) : std::string_view());
      require_possible(record);
      if (record.in_stream())
        tasks_[record.stream].tensors.push_back(i);
      else if (record.coding != Coding::kStored)
        tasks_.push_back({{}, {static_cast<std::size_t>(i)}});
    }
  }

  /// A few bytes must not ask for all memory.
  void require_possible(const Record& record) const {
    const std::size_t coded = own_.back().size() + (record.in_stream() ? tasks_[record.stream].stream.size() : 0);
    if (record.coding != Coding::kStored && record.bytes() / kLongestRun > coded)
      throw Damaged("holds too little for a tensor of " + std::to_string(record.bytes()) + " bytes");
  }

  Tensor view(const Record& record) const {
    const std::size_t bytes = record.bytes();
    if (record.offset > data_.size() || bytes > data_.size() - record.offset || record.offset % kLine != 0)
      throw Damaged("is too short for its tensors");
    const std::string_view content = data_.substr(record.offset, bytes);
    const auto check = [content, checksum = record.checksum, subject = subject_, dims = record.dims] {
      if (piece_checksum(content) != checksum)
        throw Error(ErrorCode::kBadInput, subject,
                    "is damaged: a tensor of its tensor section (" + to_string(dims) + ") does not match its checksum");
    };
    if (bytes >= kLarge) return Tensor::view(record.dtype, record.dims, content.data(), owner_, check);
    if (bytes > 0) check();
    return Tensor::view(record.dtype, record.dims, content.data(), owner_);
  }

  void run(const Task& task) {
    std::unique_ptr<StreamModel> model;
    std::unique_ptr<RangeDecoder> decoder;
    if (!task.stream.empty()) {
      model = std::make_unique<StreamModel>();
      decoder = std::make_unique<RangeDecoder>(task.stream);
    }
    for (const std::size_t i : task.tensors) {
      if (records_[i].in_stream() && !model) throw Damaged("names an empty stream");
      if (tensors_[i].bytes() > 0) decode(records_[i], own_[i], model.get(), decoder.get(), tensors_[i].mutable_raw());
    }
    if (decoder && !decoder->finished()) throw Damaged("holds a stream that is not as long as its tensors");
  }

  std::shared_ptr<const void> owner_;
  std::string subject_;
  bool whole_;  ///< the file's table has a checksum of all bytes
  std::string_view data_;
  std::vector<Record> records_;
  std::vector<std::string_view> own_;
  std::vector<Task> tasks_;
  std::vector<Tensor> tensors_;
};

}  // namespace

SectionContent write_tensors(const std::vector<Tensor>& tensors, bool stored) {
  return stored ? write_stored(tensors) : SectionWriter().run(tensors);
}

std::vector<Tensor> read_tensors(std::string_view section, std::size_t checked, const std::shared_ptr<const void>& owner,
                                 const std::string& subject) {
  return SectionReader(section, checked, owner, subject).run();
}

}  // namespace pare::pack
