// The store over all bins, and what Python calls.
#include "okvs.hpp"

#include <cstring>
#include <memory>
#include <utility>

#include "cpu.hpp"
#include "kernels.hpp"
#include "okvs_lanes.hpp"
#include "tasks.hpp"

namespace coffer {

const OkvsRows okvs_rows_portable = okvs_rows_in_lanes;

namespace {

const OkvsRows& okvs_rows_now() {
#if defined(__x86_64__)
  if (level() >= Level::avx512) return okvs_rows_avx512;
  if (level() >= Level::avx2) return okvs_rows_avx2;
#endif
  return okvs_rows_portable;
}

template <typename Value>
using Buffer = std::unique_ptr<Value[]>;

template <typename Value>
Buffer<Value> buffer_of(std::size_t count) {
  return std::make_unique_for_overwrite<Value[]>(count);
}

// The items of each bin, ascending: order[starts[b]] … order[starts[b + 1] - 1].
struct Partition {
  std::vector<std::size_t> starts;
  Buffer<std::uint32_t> order;

  std::size_t count(std::size_t bin) const { return starts[bin + 1] - starts[bin]; }
  std::size_t fullest() const {
    std::size_t most = 0;
    for (std::size_t bin = 0; bin + 1 < starts.size(); ++bin) most = std::max(most, count(bin));
    return most;
  }
};

// Each worker counts a stretch of items by bin; the sums of the counts are where it then puts them.
Partition partition(const std::uint8_t* seed, const Block128* hashes, std::size_t count,
                    std::size_t bins, unsigned workers) {
  constexpr std::size_t together = 1024;
  const OkvsRows& rows = okvs_rows_now();
  const std::size_t stretch = (count + workers - 1) / workers;
  Partition found{std::vector<std::size_t>(bins + 1), buffer_of<std::uint32_t>(count)};
  const auto bin_of = buffer_of<std::uint16_t>(count);
  std::vector<std::size_t> places(workers * bins);
  for_each_task(workers, workers, [&](std::size_t part, unsigned) {
    std::uint32_t bin[together];
    const std::size_t end = std::min(count, (part + 1) * stretch);
    for (std::size_t first = part * stretch; first < end; first += together) {
      const std::size_t taken = std::min(together, end - first);
      rows.bins_of(bin, seed, hashes + first, taken, static_cast<std::uint32_t>(bins));
      for (std::size_t i = 0; i < taken; ++i) {
        bin_of[first + i] = static_cast<std::uint16_t>(bin[i]);
        ++places[part * bins + bin[i]];
      }
    }
  });
  std::size_t sum = 0;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    found.starts[bin] = sum;
    for (std::size_t part = 0; part < workers; ++part)
      sum += std::exchange(places[part * bins + bin], sum);
  }
  found.starts[bins] = sum;
  for_each_task(workers, workers, [&](std::size_t part, unsigned) {
    std::size_t* const place = places.data() + part * bins;
    const std::size_t end = std::min(count, (part + 1) * stretch);
    for (std::size_t i = part * stretch; i < end; ++i)
      found.order[place[bin_of[i]]++] = static_cast<std::uint32_t>(i);
  });
  return found;
}

// The memory behind an OkvsScratch.
class ScratchMemory {
 public:
  ScratchMemory(const OkvsShape& shape, std::size_t items)
      : elements_(buffer_of<std::uint64_t>(2 * (2 * items + shape.dense * (shape.dense + 1)))),
        places_(buffer_of<OkvsPlaces>(items)),
        columns_(buffer_of<std::uint32_t>(shape.sparse)),
        shorts_(buffer_of<std::uint16_t>(2 * items + shape.sparse + 1 + shape.dense)),
        flags_(buffer_of<std::uint8_t>(shape.sparse + std::max(items, shape.sparse))) {
    Block128* const elements = reinterpret_cast<Block128*>(elements_.get());
    std::uint16_t* const shorts = shorts_.get();
    scratch = {.keys = elements,
               .values = elements + items,
               .places = places_.get(),
               .rows = shorts,
               .pivots = shorts + items,
               .columns = columns_.get(),
               .queue = shorts + 2 * items,
               .is_taken = flags_.get(),
               .marks = flags_.get() + shape.sparse,
               .system = elements + 2 * items,
               .gap = shorts + 2 * items + shape.sparse + 1};
  }

  OkvsScratch scratch;

 private:
  Buffer<std::uint64_t> elements_;
  Buffer<OkvsPlaces> places_;
  Buffer<std::uint32_t> columns_;
  Buffer<std::uint16_t> shorts_;
  Buffer<std::uint8_t> flags_;
};

// Whether `table` now decodes hashes[i] to values[i] for all i.
bool okvs_encode(OutBlocks table, Bytes seed, Blocks hashes, Blocks values, Bytes fill,
                 std::size_t bins, std::size_t sparse, std::size_t dense, unsigned threads) {
  const OkvsShape shape{bins, sparse, dense};
  const Partition parts = partition(seed.data(), blocks(hashes), hashes.shape(0), bins, threads);
  // More items than rows have no solution; and items of a bin are counted in 16 bits.
  if (parts.fullest() > std::min(shape.bin_rows(), okvs_most_sparse)) return false;
  const unsigned workers = static_cast<unsigned>(std::min<std::size_t>(threads, bins));
  std::vector<ScratchMemory> memory;
  memory.reserve(workers);
  for (unsigned worker = 0; worker < workers; ++worker) memory.emplace_back(shape, parts.fullest());
  std::atomic<bool> is_solved{true};
  for_each_task(bins, workers, [&](std::size_t bin, unsigned worker) {
    if (!is_solved) return;
    OkvsScratch& scratch = memory[worker].scratch;
    const std::uint32_t* const order = parts.order.get() + parts.starts[bin];
    const std::size_t count = parts.count(bin);
    okvs_rows_now().rows_of(scratch.keys, scratch.places, seed.data(), blocks(hashes), order, count,
                            static_cast<std::uint32_t>(sparse));
    for (std::size_t i = 0; i < count; ++i) {
      if (i + okvs_ahead < count) __builtin_prefetch(blocks(values) + order[i + okvs_ahead]);
      scratch.values[i] = blocks(values)[order[i]];
    }
    if (!solve_bin(blocks(table) + bin * shape.bin_rows(), shape, scratch, count,
                   {fill.data(), bin}))
      is_solved = false;
  });
  return is_solved;
}

// out[order[i]] = what the bin decodes to, for `count` items of it
void decode_items(Block128* out, const Block128* table, const OkvsShape& shape,
                  const std::uint8_t* seed, const Block128* hashes, const std::uint32_t* order,
                  std::size_t count) {
  constexpr std::size_t together = 256;
  Block128 keys[together], sums[together];
  OkvsPlaces places[together];
  for (std::size_t first = 0; first < count; first += together) {
    const std::size_t taken = std::min(together, count - first);
    okvs_rows_now().rows_of(keys, places, seed, hashes, order + first, taken,
                            static_cast<std::uint32_t>(shape.sparse));
    for (std::size_t i = 0; i < taken; ++i) {
      __builtin_prefetch(out + order[first + i], 1);
      sums[i] = table[places[i].at[0]];
      sums[i] ^= table[places[i].at[1]];
      sums[i] ^= table[places[i].at[2]];
    }
    field_now().evaluate(sums, keys, taken, table + shape.sparse, shape.dense);
    for (std::size_t i = 0; i < taken; ++i) out[order[first + i]] = sums[i];
  }
}

// out[i] = <row(hashes[i]), table>
void okvs_decode(OutBlocks out, Bytes seed, Blocks hashes, Blocks table, std::size_t bins,
                 std::size_t sparse, std::size_t dense, unsigned threads) {
  constexpr std::size_t most_at_once = 8192;  // so that threads share a bin if bins are few
  struct Stretch {
    std::size_t bin, first, last;
  };
  const OkvsShape shape{bins, sparse, dense};
  const Partition parts = partition(seed.data(), blocks(hashes), hashes.shape(0), bins, threads);
  std::vector<Stretch> stretches;
  for (std::size_t bin = 0; bin < bins; ++bin)
    for (std::size_t first = parts.starts[bin]; first < parts.starts[bin + 1];
         first += most_at_once)
      stretches.push_back({bin, first, std::min(first + most_at_once, parts.starts[bin + 1])});
  for_each_task(stretches.size(), threads, [&](std::size_t task, unsigned) {
    const auto [bin, first, last] = stretches[task];
    decode_items(blocks(out), blocks(table) + bin * shape.bin_rows(), shape, seed.data(),
                 blocks(hashes), parts.order.get() + first, last - first);
  });
}

}  // namespace

void add_okvs(nb::module_& m) {
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();
  m.def("okvs_encode", &okvs_encode, nb::arg("table").noconvert(), nb::arg("seed").noconvert(),
        nb::arg("hashes").noconvert(), nb::arg("values").noconvert(), nb::arg("fill").noconvert(),
        nb::arg("bins"), nb::arg("sparse"), nb::arg("dense"), nb::arg("threads"), unlocked);
  m.def("okvs_decode", &okvs_decode, nb::arg("out").noconvert(), nb::arg("seed").noconvert(),
        nb::arg("hashes").noconvert(), nb::arg("table").noconvert(), nb::arg("bins"),
        nb::arg("sparse"), nb::arg("dense"), nb::arg("threads"), unlocked);
}

}  // namespace coffer
