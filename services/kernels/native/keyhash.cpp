// BLAKE2s [RFC7693] of keys, and of pairs of blocks.
#include "keyhash.hpp"

#include "cpu.hpp"
#include "kernels.hpp"
#include "keyhash_lanes.hpp"

namespace coffer {

const HashKernels hash_portable{hash_keys_in_lanes, hash_pairs_in_lanes};

namespace {

const HashKernels& hash_now() {
#if defined(__x86_64__)
  if (level() >= Level::avx512) return hash_avx512;
  if (level() >= Level::avx2) return hash_avx2;
#endif
  return hash_portable;
}

constexpr std::size_t together = 1024;  // long enough that lanes seldom run out of keys

void hash_keys(OutBlocks out, Indices offsets, Bytes data, Indices rows, Bytes salt,
               unsigned threads) {
  const KeyColumn keys{offsets.data(), data.data(), data.shape(0), rows.data()};
  for_each_block<together>(out.shape(0), threads, [&](std::size_t first, std::size_t count) {
    hash_now().keys(blocks(out), keys, first, first + count, salt.data());
  });
}

void hash_pairs(OutRows out, Blocks left, Blocks right, Bytes salt, unsigned threads) {
  const std::size_t width = out.shape(1);
  for_each_block<together>(out.shape(0), threads, [&](std::size_t first, std::size_t count) {
    hash_now().pairs(out.data() + width * first, width, blocks(left) + first, blocks(right) + first,
                     count, salt.data());
  });
}

}  // namespace

void add_keyhash(nb::module_& m) {
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();
  m.def("hash_keys", &hash_keys, nb::arg("out").noconvert(), nb::arg("offsets").noconvert(),
        nb::arg("data").noconvert(), nb::arg("rows").noconvert(), nb::arg("salt").noconvert(),
        nb::arg("threads"), unlocked);
  m.def("hash_pairs", &hash_pairs, nb::arg("out").noconvert(), nb::arg("left").noconvert(),
        nb::arg("right").noconvert(), nb::arg("salt").noconvert(), nb::arg("threads"), unlocked);
}

}  // namespace coffer
