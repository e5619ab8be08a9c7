// Keys to 128 bits each, by BLAKE2s [RFC7693].
#include "keyhash.hpp"

#include "cpu.hpp"
#include "kernels.hpp"
#include "keyhash_lanes.hpp"
#include "tasks.hpp"

namespace coffer {

void hash_keys_portable(Block128* out, const KeyColumn& keys, std::size_t first, std::size_t last,
                        const std::uint8_t* salt) {
  hash_keys_in_lanes(out, keys, first, last, salt);
}

namespace {

HashKeys* hash_keys_now() {
#if defined(__x86_64__)
  if (level() >= Level::avx512) return hash_keys_avx512;
  if (level() >= Level::avx2) return hash_keys_avx2;
#endif
  return hash_keys_portable;
}

// out[i] = BLAKE2s(key rows[i]), 16 bytes, with 8 bytes of salt and 8 of personalisation
void hash_keys(OutBlocks out, Indices offsets, Bytes data, Indices rows, Bytes salt,
               unsigned threads) {
  constexpr std::size_t together = 1024;  // long enough that lanes seldom run out of keys
  const std::size_t count = out.shape(0);
  const KeyColumn keys{offsets.data(), data.data(), rows.data()};
  HashKeys* const hash = hash_keys_now();
  for_each_task((count + together - 1) / together, threads, [&](std::size_t task, unsigned) {
    hash(blocks(out), keys, task * together, std::min(count, (task + 1) * together), salt.data());
  });
}

}  // namespace

void add_keyhash(nb::module_& m) {
  m.def("hash_keys", &hash_keys, nb::arg("out").noconvert(), nb::arg("offsets").noconvert(),
        nb::arg("data").noconvert(), nb::arg("rows").noconvert(), nb::arg("salt").noconvert(),
        nb::arg("threads"), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace coffer
