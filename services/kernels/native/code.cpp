// The expand-convolute code [RRT23], transposed: a long vector to one of half the length. The code
// is public and the same in each run; the vectors are secret, and nothing here goes by them.
#include "code.hpp"

#include <cstring>

#include "aes.hpp"
#include "cpu.hpp"
#include "kernels.hpp"

namespace coffer {
namespace {

constexpr std::size_t chunk = 256;     // outputs, or steps of the convolution, that share a draw
constexpr std::size_t ahead = 16;      // outputs whose places are asked for in advance
constexpr unsigned weight = 7;         // of a row of the expander
constexpr unsigned regular = 4;        // how many of these lie in a quarter each; others anywhere
constexpr std::uint64_t expander = 2;  // domain of its draws; passes of the convolution are 0 and 1

static_assert(regular + 3 == weight);

// words = the public random words of a chunk: code_key in counter mode
template <std::size_t count>
void draw(std::uint32_t (&words)[count], std::uint64_t number, std::uint64_t domain) {
  constexpr std::size_t length = count / 4;
  static_assert(count % 4 == 0);
  Block128 counters[length];
  for (std::size_t i = 0; i < length; ++i) counters[i] = Block128{number * length + i, domain};
  encrypt(code_key, counters, counters, length);
  std::memcpy(words, counters, sizeof words);
}

// a times the mixer: times_x for each bit, the multiples added up for those that are set
Block128 mix(Block128 a) {
  Block128 sum = zero128();
  for (std::uint32_t bits = mixer; bits; bits >>= 1, a = times_x(a))
    if (bits & 1) sum ^= a;
  return sum;
}

Pair128 operator^(const Pair128& a, const Pair128& b) {
  return {a.first ^ b.first, a.second ^ b.second};
}

Pair128 operator&(const Pair128& a, Block128 mask) { return {a.first & mask, a.second & mask}; }

Pair128 mix(const Pair128& a) { return {mix(a.first), mix(a.second)}; }

// Does as convolve_avx2, modulo size.
template <typename Entry>
void convolve_portable(Entry* x, std::size_t size, std::size_t first, std::size_t count,
                       const std::uint32_t* choices) {
  const auto at = [&](std::size_t place) -> Entry& {
    return x[place < size ? place : place - size];
  };
  for (std::size_t i = 0; i < count; ++i) {
    const Entry added = x[first + i];
    for (unsigned k = 1; k <= taps; ++k) {
      Entry& place = at(first + i + k);
      place = place ^ (added & mask128(choices[i] >> (k - 1) & 1));
    }
    Entry& behind = at(first + i + taps + 1);
    behind = mix(behind ^ added);
  }
}

template <typename Entry>
void convolve(Entry* x, std::size_t size, std::uint64_t pass) {
  for (std::size_t first = 0; first < size; first += chunk) {
    const std::size_t count = std::min(chunk, size - first);
    std::uint32_t choices[chunk];
    draw(choices, first / chunk, pass);
#if defined(__x86_64__)
    if (level() >= Level::avx2 && count == chunk && first + count + taps + 2 <= size) {
      convolve_avx2(x, first, count, choices);
      continue;
    }
#endif
    convolve_portable(x, size, first, count, choices);
  }
}

// places = the places in x that are added to output i of the chunk, at [weight * i] and behind
void choose_places(std::uint32_t (&places)[chunk * weight], std::size_t number,
                   std::uint64_t size) {
  draw(places, number, expander);
  const std::uint64_t quarter = size / regular;
  for (std::size_t i = 0; i < chunk * weight; i += weight) {
    for (std::size_t j = 0; j < weight; ++j) {
      const std::uint64_t range = j < regular ? quarter : size;
      const std::uint64_t start = j < regular ? j * quarter : 0;
      places[i + j] = static_cast<std::uint32_t>(start + (places[i + j] * range >> 32));
    }
  }
}

// Calls add(i, sum) with the sum of x at the seven places of row i of the expander, for each i.
template <typename Entry, typename Add>
void expand(const Entry* x, std::size_t size, unsigned threads, const Add& add) {
  for_each_row((size + chunk - 1) / chunk, threads, [&](std::size_t number) {
    std::uint32_t places[chunk * weight];
    choose_places(places, number, size);
    const std::size_t first = number * chunk, count = std::min(chunk, size - first);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t* at = places + weight * i;
      if (i + ahead < count)
        for (unsigned j = 0; j < weight; ++j) __builtin_prefetch(x + at[weight * ahead + j]);
      add(first + i, x[at[0]] ^ x[at[1]] ^ x[at[2]] ^ x[at[3]] ^ x[at[4]] ^ x[at[5]] ^ x[at[6]]);
    }
  });
}

// The first half of `vector` = itself + expander · convolution² · the second half.
void compress(OutBlocks vector, unsigned threads) {
  const std::size_t size = vector.shape(0) / 2;
  Block128 *const out = blocks(vector), *const x = out + size;
  convolve(x, size, 0);
  convolve(x, size, 1);
  expand(x, size, threads, [&](std::size_t i, Block128 sum) { out[i] ^= sum; });
}

// Calls take(i, entry) for the entries first…last-1 of a vector that is zero but for a value at a
// point of each of its parts. The points are secret.
template <typename Take>
void for_each_entry(const Indices& points, const Blocks& values, std::size_t part,
                    std::size_t first, std::size_t last, const Take& take) {
  for (std::size_t i = first; i < last;) {
    const std::size_t number = i / part, end = std::min(last, (number + 1) * part);
    const std::uint64_t point = number * part + static_cast<std::uint64_t>(points(number));
    const Block128 value = blocks(values)[number];
    for (; i < end; ++i) take(i, value & equal128(i, point));
  }
}

// The same for `vector` and for one of that length which is zero but for a value at a point of each
// part, whose product takes the place of the second half. Both are laid side by side into
// `scratch`, as the expander reads places all over memory: a place of both costs no more than one.
void compress_two(OutBlocks vector, OutBlocks scratch, Indices points, Blocks values,
                  unsigned threads) {
  const std::size_t size = vector.shape(0) / 2, part = vector.shape(0) / points.shape(0);
  Block128 *const first = blocks(vector), *const second = first + size;
  Pair128* const x = reinterpret_cast<Pair128*>(scratch.data());
  for_each_entry(points, values, part, size, 2 * size,
                 [&](std::size_t i, Block128 entry) { x[i - size] = {first[i], entry}; });
  for_each_entry(points, values, part, 0, size,
                 [&](std::size_t i, Block128 entry) { second[i] = entry; });
  convolve(x, size, 0);
  convolve(x, size, 1);
  expand(x, size, threads, [&](std::size_t i, const Pair128& sum) {
    first[i] ^= sum.first;
    second[i] ^= sum.second;
  });
}

}  // namespace

void add_code(nb::module_& m) {
  m.def("compress", &compress, nb::arg("vector").noconvert(), nb::arg("threads"),
        nb::call_guard<nb::gil_scoped_release>());
  m.def("compress_two", &compress_two, nb::arg("vector").noconvert(),
        nb::arg("scratch").noconvert(), nb::arg("points").noconvert(),
        nb::arg("values").noconvert(), nb::arg("threads"),
        nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace coffer
