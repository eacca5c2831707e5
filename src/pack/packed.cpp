#include "pack/packed.h"

#include <algorithm>

#include "pack/fields.h"
#include "pare/error.h"

namespace pare::pack {

namespace {

constexpr std::size_t kLine = 64;

std::size_t aligned(std::size_t at) { return (at + kLine - 1) / kLine * kLine; }

}  // namespace

SectionContent write_packed(const std::vector<exec::PackedBlob>& blobs, const std::vector<Tensor>& tensors) {
  std::map<const std::byte*, std::size_t> index;
  for (std::size_t i = 0; i < tensors.size(); ++i) index.emplace(tensors[i].address(), i);
  FieldWriter rows;
  std::string data;
  std::uint64_t count = 0;
  for (const exec::PackedBlob& blob : blobs) {
    const auto tensor = index.find(blob.source.address());
    if (tensor == index.end()) continue;
    ++count;
    data.resize(aligned(data.size()), '\0');
    rows.varint(tensor->second);
    rows.word(blob.key_hash);
    rows.word(piece_checksum(blob.bytes));
    rows.text(blob.kernel);
    rows.varint(data.size());
    rows.varint(blob.bytes.size());
    data += blob.bytes;
  }
  FieldWriter head;
  head.word<std::uint64_t>(rows.bytes().size());
  head.word<std::uint64_t>(count);
  std::string section = head.bytes() + rows.bytes();
  section.resize(aligned(section.size()), '\0');
  const std::size_t checked = section.size();
  section += data;
  return {std::move(section), checked};
}

PackedSections::PackedSections(const Container& container, std::vector<Tensor> tensors, std::string isa,
                               std::string subject)
    : owner_(container.owner), tensors_(std::move(tensors)), isa_(std::move(isa)), subject_(std::move(subject)) {
  for (const Section& section : container.sections)
    if (section.kind == SectionKind::kPacked && section.version == kPackedVersion)
      blobs_[section.name] = read(section, tensors_.size());
  if (!fits()) return;
  for (const Blob& blob : blobs_.at(isa_)) found_[{tensors_[blob.tensor].address(), blob.key_hash}].blob = &blob;
}

std::vector<PackedSections::Blob> PackedSections::read(const Section& of, std::size_t tensors) {
  const std::string_view section = of.bytes;
  FieldReader whole(section);
  const auto row_bytes = whole.word<std::uint64_t>();
  const auto count = whole.word<std::uint64_t>();
  FieldReader rows(whole.take(row_bytes));
  const std::size_t start = std::min(aligned(2 * sizeof(std::uint64_t) + row_bytes), section.size());
  const std::string_view data = section.substr(start);
  if (of.checked < start) throw Damaged("has rows without a checksum");
  std::vector<Blob> blobs;
  for (std::uint64_t i = 0; i < count; ++i) {
    Blob blob;
    blob.tensor = rows.varint();
    if (blob.tensor >= tensors) throw Damaged("names a tensor that the file does not hold");
    blob.key_hash = rows.word<std::uint64_t>();
    blob.checksum = rows.word<std::uint64_t>();
    blob.kernel = rows.text();
    const std::uint64_t offset = rows.varint(), size = rows.varint();
    if (offset % kLine != 0 || offset > data.size() || size > data.size() - offset)
      throw Damaged("is too short for its weights");
    blob.bytes = {reinterpret_cast<const std::byte*>(data.data()) + offset, size};
    blobs.push_back(std::move(blob));
  }
  return blobs;
}

std::optional<exec::PackedView> PackedSections::find(const Tensor& source, std::uint64_t key_hash) const {
  const auto found = found_.find({source.address(), key_hash});
  if (found == found_.end()) return std::nullopt;
  const auto& [blob, checked] = found->second;
  if (!checked) check(isa_, *blob);
  checked = true;
  return exec::PackedView{blob->bytes, owner_};
}

void PackedSections::check(const std::string& isa, const Blob& blob) const {
  if (piece_checksum({reinterpret_cast<const char*>(blob.bytes.data()), blob.bytes.size()}) != blob.checksum)
    throw Error(ErrorCode::kBadInput, subject_,
                "is damaged: weights of its packed section '" + isa + "' do not match their checksum");
}

std::vector<std::string> PackedSections::isas() const {
  std::vector<std::string> names;
  for (const auto& [isa, blobs] : blobs_) names.push_back(isa);
  return names;
}

std::vector<PackedSet> PackedSections::others(const std::string& isa) const {
  std::vector<PackedSet> sets;
  for (const auto& [name, blobs] : blobs_) {
    if (name == isa) continue;
    sets.push_back({name, {}});
    for (const Blob& blob : blobs) {
      check(name, blob);
      sets.back().blobs.push_back({tensors_[blob.tensor], blob.key_hash, blob.kernel,
                                   std::string(reinterpret_cast<const char*>(blob.bytes.data()), blob.bytes.size())});
    }
  }
  return sets;
}

}  // namespace pare::pack
