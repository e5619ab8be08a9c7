// Where items go, many at once: the core of ChaCha with 8 rounds and 128 bits of key [Ber08], as a
// pseudorandom function from hash to row. The seed is the key, so whoever chose the items before it
// was drawn meets rows as random as fresh ones, however the items were chosen.
#pragma once

#include "lanes.hpp"
#include "okvs.hpp"

namespace coffer {
namespace {

// out = the first eight words of ChaCha8(key = seed, counter and nonce = hash), one hash a lane.
struct OkvsMix {
  alignas(64) std::uint32_t hash[4][lane_count];
  alignas(64) std::uint32_t out[8][lane_count];
};

inline void quarter_round(Words& a, Words& b, Words& c, Words& d) {
  a += b;
  d = rotate_right<16>(d ^ a);
  c += d;
  b = rotate_right<20>(b ^ c);
  a += b;
  d = rotate_right<24>(d ^ a);
  c += d;
  b = rotate_right<25>(b ^ c);
}

inline void okvs_mix(OkvsMix& mix, const std::uint32_t* seed) {
  constexpr std::uint32_t tau[4] = {0x61707865, 0x3120646E, 0x79622D36, 0x6B206574};
  Words x[16];
  for (int i = 0; i < 4; ++i) {
    x[i] = every_lane(tau[i]);
    x[4 + i] = x[8 + i] = every_lane(seed[i]);
    x[12 + i] = load_words(mix.hash[i]);
  }
#pragma GCC unroll 4
  for (int round = 0; round < 8; round += 2) {
    for (int i = 0; i < 4; ++i) quarter_round(x[i], x[4 + i], x[8 + i], x[12 + i]);
    for (int i = 0; i < 4; ++i)
      quarter_round(x[i], x[4 + (i + 1) % 4], x[8 + (i + 2) % 4], x[12 + (i + 3) % 4]);
  }
  for (int i = 0; i < 4; ++i) {
    store_words(mix.out[i], x[i] + tau[i]);
    store_words(mix.out[4 + i], x[4 + i] + seed[i]);
  }
}

inline void fetch_early(const Block128* hashes, const std::uint32_t* order, std::size_t first,
                        int lanes, std::size_t count) {
  for (std::size_t i = first; i < first + lanes && i < count; ++i)
    __builtin_prefetch(hashes + order[i]);
}

// Calls take(first, lanes, mix) for each few items, with eight words for each lane in mix.out.
template <typename Take>
inline void for_each_mixed(const std::uint8_t* seed, const Block128* hashes,
                           const std::uint32_t* order, std::size_t count, const Take& take) {
  std::uint32_t seed_words[4];
  std::memcpy(seed_words, seed, sizeof seed_words);
  OkvsMix mix = {};
  for (std::size_t first = 0; first < count; first += lane_count) {
    const int lanes = count - first < lane_count ? static_cast<int>(count - first) : lane_count;
    if (order) fetch_early(hashes, order, first + okvs_ahead, lanes, count);
    for (int lane = 0; lane < lanes; ++lane) {
      std::uint32_t words[4];
      std::memcpy(words, hashes + (order ? order[first + lane] : first + lane), sizeof words);
      for (int i = 0; i < 4; ++i) mix.hash[i][lane] = words[i];
    }
    okvs_mix(mix, seed_words);
    take(first, lanes, mix);
  }
}

// A word spread over 0…range-1, off uniform by at most range / 2^32 in proportion.
inline std::uint32_t spread(std::uint32_t word, std::uint32_t range) {
  return static_cast<std::uint32_t>((std::uint64_t{word} * range) >> 32);
}

inline void okvs_bins_of(std::uint32_t* bin, const std::uint8_t* seed, const Block128* hashes,
                         std::size_t count, std::uint32_t bins) {
  for_each_mixed(seed, hashes, nullptr, count,
                 [&](std::size_t first, int lanes, const OkvsMix& mix) {
                   for (int lane = 0; lane < lanes; ++lane)
                     bin[first + lane] = spread(mix.out[4][lane], bins);
                 });
}

// Three distinct columns from three words: the second and the third are picked among those left.
inline std::uint64_t places_of(const std::uint32_t (&out)[8][lane_count], int lane,
                               std::uint32_t sparse) {
  const std::uint32_t first = spread(out[5][lane], sparse);
  std::uint32_t second = spread(out[6][lane], sparse - 1);
  std::uint32_t third = spread(out[7][lane], sparse - 2);
  second += second >= first;
  const std::uint32_t lower = first < second ? first : second;
  const std::uint32_t upper = first < second ? second : first;
  third += third >= lower;
  third += third >= upper;
  return first | std::uint64_t{second} << 16 | std::uint64_t{third} << 32;
}

inline void okvs_rows_of(Block128* keys, OkvsPlaces* places, const std::uint8_t* seed,
                         const Block128* hashes, const std::uint32_t* order, std::size_t count,
                         std::uint32_t sparse) {
  for_each_mixed(seed, hashes, order, count, [&](std::size_t first, int lanes, const OkvsMix& mix) {
    alignas(64) std::uint64_t packed[lane_count];
    for (int lane = 0; lane < lane_count; ++lane) packed[lane] = places_of(mix.out, lane, sparse);
    std::memcpy(places + first, packed, lanes * sizeof *places);
    for (int lane = 0; lane < lanes; ++lane)
      keys[first + lane] = Block128{mix.out[0][lane] | std::uint64_t{mix.out[1][lane]} << 32,
                                    mix.out[2][lane] | std::uint64_t{mix.out[3][lane]} << 32};
  });
}

constexpr OkvsRows okvs_rows_in_lanes{okvs_bins_of, okvs_rows_of};

}  // namespace
}  // namespace coffer
