// Damaged files end in a pare::Error or load, whatever byte is wrong.
#include "base/file.h"
#include "base/rng.h"
#include "data/fixture.h"
#include "data/image_file.h"
#include "data/npy.h"

namespace pare::data {
namespace {

class Mutations : public DataTest {
 protected:
  /// Changes, cuts and repeats bytes of `content` and reads each version; returns how many were refused.
  int refused(const std::string& content, const std::string& name, const std::function<void()>& read) {
    int count = 0;
    for (std::uint64_t round = 0; round < 200; ++round) {
      Rng rng(1, kRngTest, round);
      std::string damaged = content;
      for (std::uint64_t edits = rng.below(3) + 1; edits > 0; --edits) {
        const std::size_t at = rng.below(damaged.size());
        if (rng.below(4) == 0) {
          damaged.resize(at + 1);
        } else {
          damaged[at] = static_cast<char>(rng.below(4) == 0 ? 255 : rng.below(256));
        }
      }
      write(name, damaged);
      try {
        read();
      } catch (const Error& error) {
        EXPECT_TRUE(error.code() == ErrorCode::kBadInput || error.code() == ErrorCode::kUnsupported ||
                    error.code() == ErrorCode::kUsage || error.code() == ErrorCode::kMemory)
            << error.what();
        ++count;
      }
    }
    return count;
  }
};

TEST_F(Mutations, Idx) {
  const std::string content = idx({3, 2, 2}, std::vector<std::uint8_t>(12, 1));
  write("l", idx({3}, {0, 1, 2}));
  const auto read = [&] { open("test: {format: idx, images: i, labels: l}").test->batch({0, 1, 2}); };
  EXPECT_GT(refused(content, "i", read), 50);
  EXPECT_GT(refused(gzip(content), "i", read), 100);
}

TEST_F(Mutations, Numpy) {
  write_npz(folder_ / "good",
            {{"x", Tensor::from<float>({4, 2}, {1, 2, 3, 4, 5, 6, 7, 8})}, {"y", Tensor(DType::kInt64, {4})}});
  const std::string archive = read_file(folder_ / "good");
  EXPECT_GT(refused(archive, "a.npz", [&] { read_npz(folder_ / "a.npz"); }), 100);
  write_npy(folder_ / "good", Tensor::from<double>({3}, {1, 2, 3}));
  const std::string array = read_file(folder_ / "good");
  EXPECT_GT(refused(array, "a.npy", [&] { read_npy(folder_ / "a.npy"); }), 20);
}

TEST_F(Mutations, Pictures) {
  EXPECT_GT(refused(png(pattern(9, 9, 3)), "p", [&] { read_image(folder_ / "p"); }), 100);
  EXPECT_GT(refused(jpeg(pattern(9, 9, 3)), "p", [&] { read_image(folder_ / "p"); }), 30);
}

TEST_F(Mutations, Texts) {
  write("img/a.png", png(plain(2, 2, {1, 1, 1})));
  EXPECT_GT(
      refused("file,label\nimg/a.png,1\n\"img/a.png\",0\n", "t.csv", [&] { open("test: {format: csv, file: t.csv}"); }),
      50);
  write("i", idx({3, 2, 2}, std::vector<std::uint8_t>(12, 1)));
  const std::string yaml =
      "train: {format: idx, images: i, augment: {pad_crop: 2}}\nval: {holdout: 0.2}\npreprocess: {mean: [0.1]}\n";
  EXPECT_GT(refused(yaml, "m.yaml", [&] { open_dataset(folder_ / "m.yaml", ModelPorts{}); }), 100);
}

}  // namespace
}  // namespace pare::data
