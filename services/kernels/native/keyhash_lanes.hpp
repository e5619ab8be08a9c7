// BLAKE2s with one key in each lane [RFC7693]. A lane whose key has ended takes the next one, so
// keys of all lengths go together. Time depends on the lengths of keys, never on what is in them.
#pragma once

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

// What the lanes hold between two blocks, word by word; a word's lanes lie together.
struct BlakeLanes {
  alignas(64) std::uint32_t state[8][lane_count];
  alignas(64) std::uint32_t block[16][lane_count];
  alignas(64) std::uint32_t count[2][lane_count];  // bytes so far, low word first
  alignas(64) std::uint32_t last[lane_count];      // all ones in a key's last block
};

inline void blake_mix(Words& a, Words& b, Words& c, Words& d, Words x, Words y) {
  a += b + x;
  d = rotate_right<16>(d ^ a);
  c += d;
  b = rotate_right<12>(b ^ c);
  a += b + y;
  d = rotate_right<8>(d ^ a);
  c += d;
  b = rotate_right<7>(b ^ c);
}

// The compression function F [RFC7693 §3.2] in every lane.
inline void blake_compress(BlakeLanes& lanes) {
  Words v[16], m[16];
  for (int i = 0; i < 8; ++i) v[i] = load_words(lanes.state[i]);
  for (int i = 0; i < 8; ++i) v[8 + i] = every_lane(blake_iv[i]);
  for (int i = 0; i < 16; ++i) m[i] = load_words(lanes.block[i]);
  v[12] ^= load_words(lanes.count[0]);
  v[13] ^= load_words(lanes.count[1]);
  v[14] ^= load_words(lanes.last);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const std::uint8_t* s = blake_sigma[round];
    blake_mix(v[0], v[4], v[8], v[12], m[s[0]], m[s[1]]);
    blake_mix(v[1], v[5], v[9], v[13], m[s[2]], m[s[3]]);
    blake_mix(v[2], v[6], v[10], v[14], m[s[4]], m[s[5]]);
    blake_mix(v[3], v[7], v[11], v[15], m[s[6]], m[s[7]]);
    blake_mix(v[0], v[5], v[10], v[15], m[s[8]], m[s[9]]);
    blake_mix(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]]);
    blake_mix(v[2], v[7], v[8], v[13], m[s[12]], m[s[13]]);
    blake_mix(v[3], v[4], v[9], v[14], m[s[14]], m[s[15]]);
  }
  for (int i = 0; i < 8; ++i)
    store_words(lanes.state[i], load_words(lanes.state[i]) ^ v[i] ^ v[8 + i]);
}

// Where a lane is in its key.
struct BlakeCursor {
  const std::uint8_t* next;
  std::uint64_t left;
  std::uint64_t done;
  Block128* out;  // null if the lane idles
};

// state = IV ^ the parameter block: 16 bytes of digest, no key, salt and personalisation.
inline void blake_start(BlakeLanes& lanes, int lane, const std::uint32_t* salt) {
  for (int i = 0; i < 8; ++i) lanes.state[i][lane] = blake_iv[i] ^ (i >= 4 ? salt[i - 4] : 0);
  lanes.state[0][lane] ^= 0x01010000 ^ sizeof(Block128);
}

// Puts the next block of a lane's key in place, filled up with zeros.
inline void blake_feed(BlakeLanes& lanes, int lane, BlakeCursor& cursor) {
  const std::uint64_t taken = cursor.left < blake_block_bytes ? cursor.left : blake_block_bytes;
  std::uint32_t words[16] = {};
  if (taken == 16)
    std::memcpy(words, cursor.next, 16);  // the commonest length, without a call
  else if (taken != 0)
    std::memcpy(words, cursor.next, taken);
  for (int i = 0; i < 16; ++i) lanes.block[i][lane] = words[i];
  if (taken != 0) cursor.next += taken;
  cursor.left -= taken;
  cursor.done += taken;
  lanes.count[0][lane] = static_cast<std::uint32_t>(cursor.done);
  lanes.count[1][lane] = static_cast<std::uint32_t>(cursor.done >> 32);
  lanes.last[lane] = cursor.left == 0 ? ~0U : 0U;
}

inline void hash_keys_in_lanes(Block128* out, const KeyColumn& keys, std::size_t first,
                               std::size_t last, const std::uint8_t* salt) {
  BlakeLanes lanes = {};
  BlakeCursor cursors[lane_count] = {};
  std::uint32_t salt_words[4];
  std::memcpy(salt_words, salt, sizeof salt_words);
  for (std::size_t next = first;;) {
    bool is_idle = true;
    for (int lane = 0; lane < lane_count; ++lane) {
      BlakeCursor& cursor = cursors[lane];
      if (cursor.out == nullptr && next < last) {
        const std::int64_t* at = keys.offsets + keys.rows[next];
        cursor = {keys.data + at[0], static_cast<std::uint64_t>(at[1] - at[0]), 0, out + next++};
        blake_start(lanes, lane, salt_words);
      }
      if (cursor.out == nullptr) continue;
      blake_feed(lanes, lane, cursor);
      is_idle = false;
    }
    if (is_idle) return;
    blake_compress(lanes);
    for (int lane = 0; lane < lane_count; ++lane) {
      if (cursors[lane].out == nullptr || cursors[lane].left != 0) continue;
      std::uint32_t digest[4];
      for (int i = 0; i < 4; ++i) digest[i] = lanes.state[i][lane];
      static_assert(sizeof digest == sizeof(Block128));
      std::memcpy(cursors[lane].out, digest, sizeof digest);
      cursors[lane].out = nullptr;
    }
  }
}

}  // namespace
}  // namespace coffer
