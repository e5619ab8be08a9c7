// BLAKE2s with one message in each lane [RFC7693]. Time depends on the lengths of messages, never
// on what is in them.
#pragma once

#include <algorithm>

#include "keyhash.hpp"
#include "lanes.hpp"

namespace coffer {
namespace {

constexpr std::size_t blake_block_bytes = 64;

constexpr std::uint32_t blake_iv[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                       0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

constexpr std::uint8_t blake_sigma[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

// Half a round: the mixing function G of four columns, or with turn = 1 of four diagonals, side by
// side, as none waits for another. Words x[2 k] and x[2 k + 1] go into the k-th.
template <int turn>
inline void blake_mix(Words (&v)[16], const Words (&x)[8]) {
  const auto b = [&](int k) -> Words& { return v[4 + (k + turn) % 4]; };
  const auto c = [&](int k) -> Words& { return v[8 + (k + 2 * turn) % 4]; };
  const auto d = [&](int k) -> Words& { return v[12 + (k + 3 * turn) % 4]; };
  for (int k = 0; k < 4; ++k) v[k] += x[2 * k];
  for (int k = 0; k < 4; ++k) v[k] += b(k);
  for (int k = 0; k < 4; ++k) d(k) = rotate_right<16>(d(k) ^ v[k]);
  for (int k = 0; k < 4; ++k) c(k) += d(k);
  for (int k = 0; k < 4; ++k) b(k) = rotate_right<12>(b(k) ^ c(k));
  for (int k = 0; k < 4; ++k) v[k] += x[2 * k + 1];
  for (int k = 0; k < 4; ++k) v[k] += b(k);
  for (int k = 0; k < 4; ++k) d(k) = rotate_right<8>(d(k) ^ v[k]);
  for (int k = 0; k < 4; ++k) c(k) += d(k);
  for (int k = 0; k < 4; ++k) b(k) = rotate_right<7>(b(k) ^ c(k));
}

// The compression function F [RFC7693 §3.2] in every lane, of blocks whose words from `words` on
// are zero; last: all ones in lanes whose message ends.
template <int words>
inline void blake_compress(Words (&h)[8], const Words* m, Words count_low, Words count_high,
                           Words last) {
  static_assert(words % 2 == 0 && words <= 16);
  const auto word = [m](int place) { return place < words ? m[place] : Words{}; };
  Words v[16];
  for (int i = 0; i < 8; ++i) v[i] = h[i];
  for (int i = 0; i < 8; ++i) v[8 + i] = every_lane(blake_iv[i]);
  v[12] ^= count_low;
  v[13] ^= count_high;
  v[14] ^= last;
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const std::uint8_t* s = blake_sigma[round];
    blake_mix<0>(v, {word(s[0]), word(s[1]), word(s[2]), word(s[3]), word(s[4]), word(s[5]),
                     word(s[6]), word(s[7])});
    blake_mix<1>(v, {word(s[8]), word(s[9]), word(s[10]), word(s[11]), word(s[12]), word(s[13]),
                     word(s[14]), word(s[15])});
  }
  for (int i = 0; i < 8; ++i) h[i] ^= v[i] ^ v[8 + i];
}

// One block of a message, filled up with zeros, for each lane.
struct BlakeBlocks {
  alignas(64) std::uint8_t bytes[lane_count][blake_block_bytes];

  // words[i] = word i of each lane, for the first `count` words
  template <int count>
  void words(Words* out) const {
    for (int from = 0; from < count; from += lane_count) {
      Words rows[lane_count];
      for (int lane = 0; lane < lane_count; ++lane)
        std::memcpy(&rows[lane], bytes[lane] + 4 * from, sizeof(Words));
      transpose_words(rows);
      for (int i = 0; i < lane_count && from + i < count; ++i) out[from + i] = rows[i];
    }
  }
};

// The state before the first block: IV ^ the parameters: 16 bytes of digest, no key, and the salt,
// half of which is the personalisation.
struct BlakeStart {
  Words h[8];

  explicit BlakeStart(const std::uint8_t* salt) {
    std::uint32_t words[4];
    std::memcpy(words, salt, sizeof words);
    for (int i = 0; i < 8; ++i) h[i] = every_lane(blake_iv[i] ^ (i >= 4 ? words[i - 4] : 0));
    h[0] ^= every_lane(0x01010000 ^ sizeof(Block128));
  }
};

// out[lane] = the digest in that lane, for each lane
inline void blake_digests(const Words (&h)[8], Block128* out) {
  alignas(64) std::uint32_t words[4][lane_count];
  for (int i = 0; i < 4; ++i) store_words(words[i], h[i]);
  for (int lane = 0; lane < lane_count; ++lane)
    out[lane] = Block128{words[0][lane] | std::uint64_t{words[1][lane]} << 32,
                         words[2][lane] | std::uint64_t{words[3][lane]} << 32};
}

using BlakeBytes = std::uint8_t __attribute__((vector_size(blake_block_bytes)));

// to = the first `taken` bytes of `from` and then zeros; `room` bytes may be read there.
inline void blake_load(std::uint8_t* to, const std::uint8_t* from, std::size_t taken,
                       std::size_t room) {
  static constexpr struct Mask {
    std::uint8_t bytes[2 * blake_block_bytes] = {};
    constexpr Mask() {
      for (std::size_t i = 0; i < blake_block_bytes; ++i) bytes[i] = 0xff;
    }
  } mask;
  if (room < blake_block_bytes) {
    std::memset(to, 0, blake_block_bytes);
    if (taken != 0) std::memcpy(to, from, taken);
    return;
  }
  BlakeBytes block, wanted;
  std::memcpy(&block, from, sizeof block);
  std::memcpy(&wanted, mask.bytes + blake_block_bytes - taken, sizeof wanted);
  block &= wanted;
  std::memcpy(to, &block, sizeof block);
}

// Hashes of up to lane_count keys of one block each, in one go.
inline void blake_short_keys(Block128* out, const KeyColumn& keys, std::size_t first,
                             std::size_t count, std::size_t longest, const BlakeStart& start) {
  BlakeBlocks blocks;
  alignas(64) std::uint32_t lengths[lane_count] = {};
  for (std::size_t lane = 0; lane < lane_count; ++lane) {
    const Key key = keys.key(first + (lane < count ? lane : 0));
    lengths[lane] = static_cast<std::uint32_t>(key.size);
    blake_load(blocks.bytes[lane], key.data, key.size, keys.size - (key.data - keys.data));
  }
  Words h[8], m[16];
  std::memcpy(h, start.h, sizeof h);
  const Words size = load_words(lengths), last = every_lane(~0U);
  if (longest <= blake_block_bytes / 2) {
    blocks.words<8>(m);
    blake_compress<8>(h, m, size, Words{}, last);
  } else {
    blocks.words<16>(m);
    blake_compress<16>(h, m, size, Words{}, last);
  }
  Block128 digests[lane_count];
  blake_digests(h, digests);
  std::memcpy(static_cast<void*>(out + first), digests, count * sizeof *out);
}

// Where a lane is in its key.
struct BlakeCursor {
  Key rest;
  std::uint64_t done;
  Block128* out;  // null if the lane idles
};

// Hashes of keys of any length: a lane whose key has ended takes the next one.
inline void blake_long_keys(Block128* out, const KeyColumn& keys, std::size_t first,
                            std::size_t last, const BlakeStart& start) {
  BlakeBlocks blocks = {};
  BlakeCursor cursors[lane_count] = {};
  Words h[8] = {};
  for (std::size_t next = first;;) {
    alignas(64) std::uint32_t counts[2][lane_count] = {}, ends[lane_count] = {}, fresh[lane_count];
    bool is_idle = true;
    for (int lane = 0; lane < lane_count; ++lane) {
      BlakeCursor& at = cursors[lane];
      fresh[lane] = at.out == nullptr && next < last ? ~0U : 0U;
      if (fresh[lane] != 0) {
        at = {keys.key(next), 0, out + next};
        ++next;
      }
      if (at.out == nullptr) continue;
      is_idle = false;
      const std::size_t taken = std::min(at.rest.size, blake_block_bytes);
      blake_load(blocks.bytes[lane], at.rest.data, taken, keys.size - (at.rest.data - keys.data));
      at.rest = {at.rest.data + taken, at.rest.size - taken};
      at.done += taken;
      counts[0][lane] = static_cast<std::uint32_t>(at.done);
      counts[1][lane] = static_cast<std::uint32_t>(at.done >> 32);
      ends[lane] = at.rest.size == 0 ? ~0U : 0U;
    }
    if (is_idle) return;
    const Words is_fresh = load_words(fresh);
    for (int i = 0; i < 8; ++i) h[i] = (start.h[i] & is_fresh) | (h[i] & ~is_fresh);
    Words m[16];
    blocks.words<16>(m);
    blake_compress<16>(h, m, load_words(counts[0]), load_words(counts[1]), load_words(ends));
    Block128 digests[lane_count];
    blake_digests(h, digests);
    for (int lane = 0; lane < lane_count; ++lane) {
      if (cursors[lane].out == nullptr || ends[lane] == 0) continue;
      *cursors[lane].out = digests[lane];
      cursors[lane].out = nullptr;
    }
  }
}

inline std::size_t longest_key(const KeyColumn& keys, std::size_t first, std::size_t count) {
  std::size_t longest = 0;
  for (std::size_t i = first; i < first + count; ++i) longest = std::max(longest, keys.key(i).size);
  return longest;
}

inline void hash_keys_in_lanes(Block128* out, const KeyColumn& keys, std::size_t first,
                               std::size_t last, const std::uint8_t* salt) {
  const BlakeStart start(salt);
  while (first < last) {
    std::size_t next = first, count = 0, longest = 0;
    for (; next < last; next += count) {  // a run of keys of which some are long
      count = std::min<std::size_t>(lane_count, last - next);
      longest = longest_key(keys, next, count);
      if (longest <= blake_block_bytes) break;
    }
    if (first < next) blake_long_keys(out, keys, first, next, start);
    if (next < last) {
      blake_short_keys(out, keys, next, count, longest, start);
      next += count;
    }
    first = next;
  }
}

// out[width i]… = the first `width` bytes of the hash of left[i] and right[i]
inline void hash_pairs_in_lanes(std::uint8_t* out, std::size_t width, const Block128* left,
                                const Block128* right, std::size_t count,
                                const std::uint8_t* salt) {
  const BlakeStart start(salt);
  for (std::size_t first = 0; first < count; first += lane_count) {
    const std::size_t taken = std::min<std::size_t>(lane_count, count - first);
    BlakeBlocks blocks;
    for (std::size_t lane = 0; lane < lane_count; ++lane) {
      const std::size_t i = first + (lane < taken ? lane : 0);
      std::memcpy(blocks.bytes[lane], left + i, sizeof *left);
      std::memcpy(blocks.bytes[lane] + sizeof *left, right + i, sizeof *right);
    }
    Words h[8], m[8];
    std::memcpy(h, start.h, sizeof h);
    blocks.words<8>(m);
    blake_compress<8>(h, m, every_lane(2 * sizeof(Block128)), Words{}, every_lane(~0U));
    Block128 digests[lane_count];
    blake_digests(h, digests);
    for (std::size_t lane = 0; lane < taken; ++lane)
      std::memcpy(out + width * (first + lane), digests + lane, width);
  }
}

}  // namespace
}  // namespace coffer
