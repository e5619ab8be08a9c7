// What the kernel files share: array types, and rows spread over threads.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

#include "block128.hpp"

namespace coffer {

namespace nb = nanobind;

using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Scalar = nb::ndarray<const std::uint8_t, nb::shape<32>, nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using OutIndices = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using OutRows = nb::ndarray<std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Rows32 = nb::ndarray<const std::uint8_t, nb::shape<-1, 32>, nb::c_contig, nb::device::cpu>;
using OutRows32 = nb::ndarray<std::uint8_t, nb::shape<-1, 32>, nb::c_contig, nb::device::cpu>;
using Blocks = nb::ndarray<const std::uint64_t, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;
using OutWords64 = nb::ndarray<std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using OutBlocks = nb::ndarray<std::uint64_t, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;

inline const Block128* blocks(const Blocks& column) {
  return reinterpret_cast<const Block128*>(column.data());
}
inline Block128* blocks(const OutBlocks& column) {
  return reinterpret_cast<Block128*>(column.data());
}

// Calls work(first, count) for consecutive blocks of rows 0…total-1, `size` rows each but the last,
// from up to `threads` threads, the caller's among them. Threads take blocks in turn, so that a
// core which others use holds nobody up.
template <std::size_t size, typename Work>
void for_each_block(std::size_t total, unsigned threads, const Work& work) {
  std::atomic<std::size_t> next{0};
  const auto take_blocks = [&] {
    for (std::size_t first; (first = next.fetch_add(size)) < total;)
      work(first, std::min(size, total - first));
  };
  std::vector<std::jthread> others;
  others.reserve(threads);
  try {
    for (unsigned started = 1; started < threads && started * size < total; ++started)
      others.emplace_back(take_blocks);
  } catch (const std::system_error&) {
    // The sandbox grants no further thread: those that run do all the work.
  }
  take_blocks();
}

// Calls work(row) for each row 0…count-1 in the same way.
template <typename Work>
void for_each_row(std::size_t count, unsigned threads, const Work& work) {
  for_each_block<64>(count, threads, [&](std::size_t first, std::size_t rows) {
    for (std::size_t row = first; row < first + rows; ++row) work(row);
  });
}

void add_code(nb::module_& m);
void add_correlation(nb::module_& m);
void add_cpu(nb::module_& m);
void add_curve25519(nb::module_& m);
void add_distinct(nb::module_& m);
void add_field128(nb::module_& m);
void add_ggm(nb::module_& m);
void add_images(nb::module_& m);
void add_keyhash(nb::module_& m);
void add_okvs(nb::module_& m);
void add_ristretto(nb::module_& m);
void add_rows(nb::module_& m);
void add_shuffle(nb::module_& m);

}  // namespace coffer
