// Curve25519 by its u-coordinates [RFC7748]: X25519 and hashing to the curve, for columns of rows.
#include "curve25519.hpp"

#include <sodium.h>

#include <cstring>

#include "cpu.hpp"
#include "curve25519_rows.hpp"
#include "expand_message.hpp"
#include "kernels.hpp"

namespace coffer {
namespace {

using curve25519::block_rows;
using curve25519::row_bytes;

constexpr std::uint8_t field_bytes = 48;  // L, that hash_to_field reduces [RFC9380 §8.5]

const curve25519::Path& path() {
#if defined(__x86_64__)
  if (level() >= Level::avx512) return curve25519::avx512;
  if (level() >= Level::avx2) return curve25519::avx2;
#endif
  return curve25519::portable;
}

__extension__ using Wide = unsigned __int128;

// field = a number below 2^255 that is `uniform`, 48 bytes big-endian, modulo p [RFC9380 §5.2]
void reduce_uniform(std::uint8_t* field, const std::uint8_t* uniform) {
  std::uint64_t w[6];
  std::uint8_t turned[field_bytes];
  for (std::size_t i = 0; i < field_bytes; ++i) turned[i] = uniform[field_bytes - 1 - i];
  std::memcpy(w, turned, sizeof w);
  const std::uint64_t factors[4] = {w[4], w[5], 0, 0};
  Wide carry = 0;
  for (int i = 0; i < 4; ++i) {  // 2^256 = 38
    carry += static_cast<Wide>(factors[i]) * 38 + w[i];
    w[i] = static_cast<std::uint64_t>(carry);
    carry >>= 64;
  }
  for (int times = 0; times < 2; ++times) {  // 2^255 = 19, after which it may reach 2^255 again
    carry = (carry << 1 | w[3] >> 63) * 19;
    w[3] &= ~std::uint64_t{0} >> 1;
    for (int i = 0; i < 4; ++i) {
      carry += w[i];
      w[i] = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
  }
  std::memcpy(field, w, row_bytes);
  sodium_memzero(turned, sizeof turned);
  sodium_memzero(w, sizeof w);
}

// out[i] = u-coordinate of map_to_curve(hash_to_field(key rows[i])), whose cofactor is not cleared
void hash_to_curve(OutRows32 out, Indices offsets, Bytes data, Indices rows, Bytes dst,
                   unsigned threads) {
  const ExpandMessage expand(dst.data(), dst.shape(0), field_bytes);
  const curve25519::Map map = path().map;
  for_each_block<block_rows>(out.shape(0), threads, [&](std::size_t first, std::size_t count) {
    std::uint8_t uniform[ExpandMessage::most_bytes];
    std::uint8_t fields[block_rows * row_bytes];
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t start = offsets(rows(first + i));
      const auto length = static_cast<std::size_t>(offsets(rows(first + i) + 1) - start);
      expand(uniform, data.data() + start, length);
      reduce_uniform(fields + i * row_bytes, uniform);
    }
    map(&out(first, 0), fields, count);
    sodium_memzero(uniform, sizeof uniform);
    sodium_memzero(fields, sizeof fields);
  });
}

// out[i] = X25519(scalar, elements[i]); the first i where elements[i] is unfit, or -1.
std::int64_t multiply(OutRows32 out, Rows32 elements, Scalar scalar, bool checked,
                      unsigned threads) {
  const std::size_t total = out.shape(0);
  const curve25519::Multiply multiply_block = path().multiply;
  std::uint8_t clamped[32];
  std::memcpy(clamped, scalar.data(), sizeof clamped);
  clamped[0] &= 0xf8;
  clamped[31] = (clamped[31] & 0x7f) | 0x40;
  std::atomic<std::size_t> first_unfit{total};
  for_each_block<block_rows>(total, threads, [&](std::size_t first, std::size_t count) {
    const std::size_t unfit =
        multiply_block(&out(first, 0), &elements(first, 0), count, clamped, checked);
    if (unfit == count) return;
    for (std::size_t seen = first_unfit; first + unfit < seen;)
      if (first_unfit.compare_exchange_weak(seen, first + unfit)) break;
  });
  sodium_memzero(clamped, sizeof clamped);
  return first_unfit < total ? static_cast<std::int64_t>(first_unfit) : -1;
}

}  // namespace

void add_curve25519(nb::module_& m) {
  m.def("curve25519_hash", &hash_to_curve, nb::arg("out").noconvert(),
        nb::arg("offsets").noconvert(), nb::arg("data").noconvert(), nb::arg("rows").noconvert(),
        nb::arg("dst").noconvert(), nb::arg("threads"), nb::call_guard<nb::gil_scoped_release>());
  m.def("curve25519_multiply", &multiply, nb::arg("out").noconvert(),
        nb::arg("elements").noconvert(), nb::arg("scalar").noconvert(), nb::arg("checked"),
        nb::arg("threads"), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace coffer
