// The keys, the choice of the path, and the portable path: 64 blocks at once, bit by bit, so that
// no table is indexed and no branch is taken by what is encrypted.
#include "aes.hpp"

#include <bit>
#include <cstring>

#include "cpu.hpp"

static_assert(std::endian::native == std::endian::little);

namespace coffer {
namespace {

constexpr std::uint8_t times_x8(std::uint8_t a) {
  return static_cast<std::uint8_t>((a << 1) ^ (a & 0x80 ? 0x1b : 0));
}

constexpr std::uint8_t times(std::uint8_t a, std::uint8_t b) {
  std::uint8_t product = 0;
  for (; b; b >>= 1, a = times_x8(a))
    if (b & 1) product ^= a;
  return product;
}

// The S-box of a byte that is public: a^254 and the affine map [FIPS197 §5.1.1].
constexpr std::uint8_t substitute(std::uint8_t a) {
  std::uint8_t inverse = 1;
  for (int each = 0; each < 254; ++each) inverse = times(inverse, a);
  std::uint8_t out = 0x63;
  for (int turn = 0; turn < 5; ++turn) out ^= std::rotl(inverse, turn);
  return out;
}

// The key schedule [FIPS197 §5.2] of a public key, when this is compiled.
consteval FixedKey expand(const char (&digits)[33]) {
  FixedKey key{};
  const auto nibble = [](char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; };
  for (int i = 0; i < 16; ++i)
    key.round[0][i] =
        static_cast<std::uint8_t>(16 * nibble(digits[2 * i]) + nibble(digits[2 * i + 1]));
  std::uint8_t constant = 1;
  for (int round = 1; round <= 10; ++round, constant = times_x8(constant))
    for (int i = 0; i < 16; ++i) {
      const std::uint8_t* last = key.round[round - 1];
      const std::uint8_t mixed = i >= 4 ? key.round[round][i - 4]
                                        : substitute(last[12 + (i + 1) % 4]) ^ (i ? 0 : constant);
      key.round[round][i] = last[i] ^ mixed;
    }
  return key;
}

using Slice = std::uint64_t;  // one bit of each of 64 blocks

// Puts bit j of words[i] to bit i of words[j].
void transpose(Slice* words) {
  Slice keep = 0x00000000ffffffff;
  for (int width = 32; width; width >>= 1, keep ^= keep << width)
    for (int i = 0; i < 64; i = ((i | width) + 1) & ~width) {
      const Slice moved = ((words[i] >> width) ^ words[i | width]) & keep;
      words[i] ^= moved << width;
      words[i | width] ^= moved;
    }
}

// The S-box as a circuit of 32 AND and 81 XOR gates [BP12]; x[7] and s[7] are the top bits.
void substitute(Slice* x) {
  const Slice x0 = x[7], x1 = x[6], x2 = x[5], x3 = x[4], x4 = x[3], x5 = x[2], x6 = x[1],
              x7 = x[0];
  // The linear map before the inversion.
  const Slice y14 = x3 ^ x5, y13 = x0 ^ x6, y9 = x0 ^ x3, y8 = x0 ^ x5, t0 = x1 ^ x2;
  const Slice y1 = t0 ^ x7, y4 = y1 ^ x3, y12 = y13 ^ y14, y2 = y1 ^ x0, y5 = y1 ^ x6;
  const Slice y3 = y5 ^ y8, t1 = x4 ^ y12, y15 = t1 ^ x5, y20 = t1 ^ x1, y6 = y15 ^ x7;
  const Slice y10 = y15 ^ t0, y11 = y20 ^ y9, y7 = x7 ^ y11, y17 = y10 ^ y11, y19 = y10 ^ y8;
  const Slice y16 = t0 ^ y11, y21 = y13 ^ y16, y18 = x0 ^ y16;
  // The inversion in GF(2^8), by way of GF(2^4).
  const Slice t2 = y12 & y15, t4 = (y3 & y6) ^ t2, t6 = (y4 & x7) ^ t2, t7 = y13 & y16;
  const Slice t9 = (y5 & y1) ^ t7, t11 = (y2 & y7) ^ t7, t12 = y9 & y11;
  const Slice t14 = (y14 & y17) ^ t12, t16 = (y8 & y10) ^ t12;
  const Slice t21 = t4 ^ t14 ^ y20, t22 = t6 ^ t16 ^ y19, t23 = t9 ^ t14 ^ y21;
  const Slice t24 = t11 ^ t16 ^ y18, t25 = t21 ^ t22, t26 = t21 & t23, t27 = t24 ^ t26;
  const Slice t29 = (t25 & t27) ^ t22, t30 = t23 ^ t24, t33 = ((t22 ^ t26) & t30) ^ t24;
  const Slice t34 = t23 ^ t33, t36 = t24 & (t27 ^ t33), t37 = t36 ^ t34, t38 = t27 ^ t36;
  const Slice t40 = t25 ^ (t29 & t38), t41 = t40 ^ t37, t42 = t29 ^ t33, t43 = t29 ^ t40;
  const Slice t44 = t33 ^ t37, t45 = t42 ^ t41;
  const Slice z0 = t44 & y15, z1 = t37 & y6, z2 = t33 & x7, z3 = t43 & y16, z4 = t40 & y1;
  const Slice z5 = t29 & y7, z6 = t42 & y11, z7 = t45 & y17, z8 = t41 & y10, z9 = t44 & y12;
  const Slice z10 = t37 & y3, z11 = t33 & y4, z12 = t43 & y13, z13 = t40 & y5, z14 = t29 & y2;
  const Slice z15 = t42 & y9, z16 = t45 & y14, z17 = t41 & y8;
  // The linear map behind it.
  const Slice t46 = z15 ^ z16, t47 = z10 ^ z11, t48 = z5 ^ z13, t49 = z9 ^ z10, t50 = z2 ^ z12;
  const Slice t51 = z2 ^ z5, t52 = z7 ^ z8, t53 = z0 ^ z3, t54 = z6 ^ z7, t55 = z16 ^ z17;
  const Slice t56 = z12 ^ t48, t57 = t50 ^ t53, t58 = z4 ^ t46, t59 = z3 ^ t54, t60 = t46 ^ t57;
  const Slice t61 = z14 ^ t57, t62 = t52 ^ t58, t63 = t49 ^ t58, t64 = z4 ^ t59, t65 = t61 ^ t62;
  const Slice t66 = z1 ^ t63, t67 = t64 ^ t65, s3 = t53 ^ t66;
  x[7] = t59 ^ t63;
  x[6] = t64 ^ ~s3;
  x[5] = t55 ^ ~t67;
  x[4] = s3;
  x[3] = t51 ^ t66;
  x[2] = t47 ^ t65;
  x[1] = t56 ^ ~t62;
  x[0] = t48 ^ ~t60;
}

void add_round_key(Slice (*state)[8], const std::uint8_t* round) {
  for (int i = 0; i < 16; ++i)
    for (int bit = 0; bit < 8; ++bit) state[i][bit] ^= Slice{0} - (round[i] >> bit & 1);
}

void shift_rows(Slice (*state)[8]) {
  Slice was[16][8];
  std::memcpy(was, state, sizeof was);
  for (int i = 0; i < 16; ++i) std::memcpy(state[i], was[(i + 4 * (i % 4)) % 16], sizeof *was);
}

// column[r] = 2 (a[r] + a[r + 1]) + a[0] + a[1] + a[2] + a[3] + a[r], each a byte [FIPS197 §5.1.3]
void mix_column(Slice (*column)[8]) {
  Slice a[4][8];
  std::memcpy(a, column, sizeof a);
  for (int r = 0; r < 4; ++r) {
    Slice pair[8];
    for (int bit = 0; bit < 8; ++bit) pair[bit] = a[r][bit] ^ a[(r + 1) % 4][bit];
    for (int bit = 0; bit < 8; ++bit) {
      const Slice carried = bit == 1 || bit == 3 || bit == 4 ? pair[7] : 0;
      column[r][bit] = pair[(bit + 7) % 8] ^ carried ^ a[(r + 1) % 4][bit] ^ a[(r + 2) % 4][bit] ^
                       a[(r + 3) % 4][bit];
    }
  }
}

void encrypt_slices(const FixedKey& key, Slice (*state)[8]) {
  add_round_key(state, key.round[0]);
  for (int round = 1; round <= 10; ++round) {
    for (int i = 0; i < 16; ++i) substitute(state[i]);
    shift_rows(state);
    if (round < 10)
      for (int column = 0; column < 16; column += 4) mix_column(state + column);
    add_round_key(state, key.round[round]);
  }
}

}  // namespace

constexpr FixedKey left_key = expand("243f6a8885a308d313198a2e03707344");
constexpr FixedKey right_key = expand("a4093822299f31d0082efa98ec4e6c89");
constexpr FixedKey stream_key = expand("452821e638d01377be5466cf34e90c6c");
constexpr FixedKey hash_key = expand("c0ac29b7c97c50dd3f84d5b5b5470917");
constexpr FixedKey code_key = expand("9216d5d98979fb1bd1310ba698dfb5ac");

void encrypt_portable(const FixedKey& key, const Block128* in, Block128* out, std::size_t count) {
  for (std::size_t first = 0; first < count; first += batch) {
    const std::size_t taken = count - first < batch ? count - first : batch;
    Slice state[16][8] = {};  // byte i of the blocks, by bits
    Slice* const words = &state[0][0];
    for (std::size_t i = 0; i < taken; ++i) {
      words[i] = in[first + i][0];
      words[64 + i] = in[first + i][1];
    }
    transpose(words);
    transpose(words + 64);
    encrypt_slices(key, state);
    transpose(words);
    transpose(words + 64);
    for (std::size_t i = 0; i < taken; ++i) out[first + i] = Block128{words[i], words[64 + i]};
  }
}

void encrypt(const FixedKey& key, const Block128* in, Block128* out, std::size_t count) {
#if defined(__x86_64__)
  const Level now = level();
  if (now >= Level::vaes) return encrypt_vaes(key, in, out, count);
  if (now >= Level::avx2) return encrypt_avx2(key, in, out, count);
#endif
  encrypt_portable(key, in, out, count);
}

}  // namespace coffer
