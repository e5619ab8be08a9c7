// Random orders, by the shuffle of Fisher and Yates, and rows in them. An order is the secret of
// the party that draws it: which places are swapped, and so when memory is read, is seen on its own
// machine alone.
#include <sodium.h>

#include <cstring>
#include <utility>

#include "kernels.hpp"

namespace coffer {
namespace {

// Random words from a key of 32 bytes: ChaCha20, block after block.
class Words64 {
 public:
  explicit Words64(const std::uint8_t* key) : key_(key) {}

  // A number below `range`, each equally likely [Lem19].
  std::uint64_t below(std::uint64_t range) {
    for (;;) {
      const auto wide = static_cast<unsigned __int128>(next()) * range;
      const auto rest = static_cast<std::uint64_t>(wide);
      if (rest >= range || rest >= (0 - range) % range)
        return static_cast<std::uint64_t>(wide >> 64);
    }
  }

 private:
  static constexpr std::size_t size = 512;

  std::uint64_t next() {
    if (used_ == size) {
      std::uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
      static_assert(sizeof nonce == sizeof drawn_);
      std::memcpy(nonce, &drawn_, sizeof nonce);
      crypto_stream_chacha20(reinterpret_cast<std::uint8_t*>(words_), sizeof words_, nonce, key_);
      ++drawn_;
      used_ = 0;
    }
    return words_[used_++];
  }

  const std::uint8_t* key_;
  std::uint64_t drawn_ = 0;
  std::size_t used_ = size;
  std::uint64_t words_[size];
};

// order = 0…count-1, each order equally likely
void shuffle(OutIndices order, Bytes key) {
  constexpr std::size_t together = 64;  // places that are fetched before they are needed
  Words64 words(key.data());
  std::size_t count = order.shape(0);
  for (std::size_t i = 0; i < count; ++i) order(i) = static_cast<std::int64_t>(i);
  while (count > 1) {
    const std::size_t taken = std::min(together, count - 1);
    std::uint64_t places[together];
    for (std::size_t i = 0; i < taken; ++i) {
      places[i] = words.below(count - i);
      __builtin_prefetch(&order(places[i]), 1);
    }
    for (std::size_t i = 0; i < taken; ++i) std::swap(order(--count), order(places[i]));
  }
}

// out[i] = rows[order[i]]
void take(OutBlocks out, Blocks rows, Indices order) {
  constexpr std::size_t ahead = 32;  // rows that are fetched before they are needed
  const std::size_t count = order.shape(0);
  for (std::size_t i = 0; i < count; ++i) {
    if (i + ahead < count) __builtin_prefetch(blocks(rows) + order(i + ahead));
    blocks(out)[i] = blocks(rows)[order(i)];
  }
}

}  // namespace

void add_shuffle(nb::module_& m) {
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();
  m.def("shuffle", &shuffle, nb::arg("order").noconvert(), nb::arg("key").noconvert(), unlocked);
  m.def("take", &take, nb::arg("out").noconvert(), nb::arg("rows").noconvert(),
        nb::arg("order").noconvert(), unlocked);
}

}  // namespace coffer
