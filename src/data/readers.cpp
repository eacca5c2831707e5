#include "base/text.h"
#include "data/reader.h"

namespace pare::data {

#define PARE_READER(file, format, keys, summary) std::shared_ptr<const Source> open_##file(const Settings& split);
#include "data/readers.inc"
#undef PARE_READER

const std::vector<Reader>& reader_table() {
  static const std::vector<Reader> table{
#define PARE_READER(file, format, keys, summary) {format, summary, pare::split(keys, ' '), open_##file},
#include "data/readers.inc"
#undef PARE_READER
  };
  return table;
}

std::vector<ReaderInfo> readers() {
  std::vector<ReaderInfo> infos;
  for (const Reader& reader : reader_table()) infos.push_back({reader.name, reader.summary});
  return infos;
}

}  // namespace pare::data
