// GF(2^128): the portable path, and what Python calls.
#include "field128.hpp"

#include <bit>

#include "cpu.hpp"
#include "field128_columns.hpp"
#include "kernels.hpp"

namespace coffer {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are little-endian numbers");

// The low 64 bits of a carry-less product. Bits of a factor that are four apart leave room for
// carries: a sum of at most 16 ones fits below the next wanted bit, but for the topmost, which runs
// out of the word.
std::uint64_t multiply_low(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t holes = 0x1111111111111111;
  std::uint64_t sum = 0;
  for (int place = 0; place < 4; ++place) {
    std::uint64_t part = 0;
    for (int k = 0; k < 4; ++k) part ^= (a & (holes << k)) * (b & (holes << ((place - k) & 3)));
    sum |= part & (holes << place);
  }
  return sum;
}

std::uint64_t reverse_bits(std::uint64_t x) {
  x = ((x >> 1) & 0x5555555555555555) | ((x & 0x5555555555555555) << 1);
  x = ((x >> 2) & 0x3333333333333333) | ((x & 0x3333333333333333) << 2);
  x = ((x >> 4) & 0x0F0F0F0F0F0F0F0F) | ((x & 0x0F0F0F0F0F0F0F0F) << 4);
  return __builtin_bswap64(x);
}

// The carry-less product of two words; its upper half is the mirrored product of mirrored words.
Block128 multiply_words(std::uint64_t a, std::uint64_t b) {
  return Block128{multiply_low(a, b),
                  reverse_bits(multiply_low(reverse_bits(a), reverse_bits(b))) >> 1};
}

struct Plain {
  static constexpr std::size_t size = 1;
  using Vector = Block128;
  struct Product {
    Block128 low, middle, high;  // at x^0, x^64, x^128
  };

  static Vector load(const Block128* from) { return *from; }
  static Vector repeat(const Block128* from) { return *from; }
  static void store(Block128* to, Vector v) { *to = v; }
  static Vector add(Vector a, Vector b) { return a ^ b; }

  static Product product(Vector a, Vector b) {
    const Block128 low = multiply_words(a[0], b[0]), high = multiply_words(a[1], b[1]);
    const Block128 both = multiply_words(a[0] ^ a[1], b[0] ^ b[1]);  // Karatsuba
    return {low, both ^ low ^ high, high};
  }
  static Product add_products(Product a, Product b) {
    return {add(a.low, b.low), add(a.middle, b.middle), add(a.high, b.high)};
  }
  // word * (x^7 + x^2 + x + 1)
  static Block128 fold(std::uint64_t word) {
    return Block128{word ^ (word << 1) ^ (word << 2) ^ (word << 7),
                    (word >> 63) ^ (word >> 62) ^ (word >> 57)};
  }
  static Vector reduce(Product p) {
    const Block128 middle = p.middle ^ fold(p.high[1]);
    return fold(p.high[0] ^ middle[1]) ^ p.low ^ Block128{0, middle[0]};
  }
};

}  // namespace

const FieldKernels field_portable = field_kernels<Plain, Plain>;

const FieldKernels& field_now() {
#if defined(__x86_64__)
  if (level() >= Level::vaes) return field_vaes;
  if (level() >= Level::avx2) return field_avx2;
#endif
  return field_portable;
}

Block128 multiply(Block128 a, Block128 b) {
  Block128 product = zero128();
  field_now().accumulate(&product, &a, &b, 1, 1);
  return product;
}

Block128 invert(Block128 a) {
  Block128 power = a, inverse{1, 0};
  for (int bit = 1; bit < 128; ++bit) {  // 2^128 - 2 = 2^127 + … + 2
    power = multiply(power, power);
    inverse = multiply(inverse, power);
  }
  return inverse;
}

namespace {

// out[i] ^= a[i] * b[i], or * b[0] if b has one row
void field_accumulate(OutBlocks out, Blocks a, Blocks b) {
  field_now().accumulate(blocks(out), blocks(a), blocks(b), b.shape(0) == 1 ? 0 : 1, out.shape(0));
}

// out[0] = the sum of a[i] * b[i]
void field_inner_product(OutBlocks out, Blocks a, Blocks b) {
  *blocks(out) = field_now().inner_product(blocks(a), blocks(b), a.shape(0));
}

// out[r] = the sum of point^j rows[r][j]
void hash_rows(OutBlocks out, Blocks rows, Blocks point, unsigned threads) {
  const std::size_t count = out.shape(0), width = rows.shape(0) / count;
  const FieldKernels& field = field_now();
  for_each_row(count, threads, [&](std::size_t r) {
    blocks(out)[r] = field.linear_hash(blocks(rows) + r * width, width, *blocks(point));
  });
}

}  // namespace

void add_field128(nb::module_& m) {
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();
  m.def("field_accumulate", &field_accumulate, nb::arg("out").noconvert(), nb::arg("a").noconvert(),
        nb::arg("b").noconvert(), unlocked);
  m.def("field_inner_product", &field_inner_product, nb::arg("out").noconvert(),
        nb::arg("a").noconvert(), nb::arg("b").noconvert(), unlocked);
  m.def("hash_rows", &hash_rows, nb::arg("out").noconvert(), nb::arg("rows").noconvert(),
        nb::arg("point").noconvert(), nb::arg("threads"), unlocked);
}

}  // namespace coffer
