// The prime-order group ristretto255 [RFC9496], over libsodium, whose operations take constant
// time.
#include <sodium.h>

#include "expand_message.hpp"
#include "kernels.hpp"

namespace coffer {
namespace {

constexpr std::uint8_t uniform_bytes = 64;  // that the map to the group takes

// out[i] = hash_to_ristretto255(key rows[i]) [RFC9380 appendix B]
void hash_to_group(OutRows32 out, Indices offsets, Bytes data, Indices rows, Bytes dst,
                   unsigned threads) {
  const ExpandMessage expand(dst.data(), dst.shape(0), uniform_bytes);
  for_each_row(out.shape(0), threads, [&](std::size_t i) {
    const std::int64_t first = offsets(rows(i));
    const auto length = static_cast<std::size_t>(offsets(rows(i) + 1) - first);
    std::uint8_t uniform[ExpandMessage::most_bytes];
    expand(uniform, data.data() + first, length);
    crypto_core_ristretto255_from_hash(&out(i, 0), uniform);
    sodium_memzero(uniform, sizeof uniform);
  });
}

// Whether product = scalar * element, which is so if element is the encoding of one, and not of the
// identity. libsodium 1.0.18 overlooks the top bit, which no encoding has set [RFC9496 §4.3.1].
bool multiply(std::uint8_t* product, const std::uint8_t* scalar, const std::uint8_t* element) {
  return (element[31] & 0x80) == 0 && crypto_scalarmult_ristretto255(product, scalar, element) == 0;
}

// out[i] = scalar * elements[i]; the first i where elements[i] is no encoding, or the identity, or
// -1.
std::int64_t scalar_multiply(OutRows32 out, Rows32 elements, Scalar scalar, unsigned threads) {
  const std::size_t count = out.shape(0);
  std::atomic<std::size_t> first_invalid{count};
  for_each_row(count, threads, [&](std::size_t i) {
    if (multiply(&out(i, 0), scalar.data(), &elements(i, 0))) return;
    sodium_memzero(&out(i, 0), 32);
    for (std::size_t seen = first_invalid; i < seen;)
      if (first_invalid.compare_exchange_weak(seen, i)) break;
  });
  return first_invalid < count ? static_cast<std::int64_t>(first_invalid) : -1;
}

using Combine = int (*)(std::uint8_t*, const std::uint8_t*, const std::uint8_t*);

// out[i] = combine(left[i], right[i]) for i of which both are encodings; the first i that is not,
// or -1. The top bit is looked at here, as in multiply().
std::int64_t combine_rows(OutRows32 out, Rows32 left, Rows32 right, Combine combine) {
  std::int64_t first_invalid = -1;
  for (std::size_t i = 0; i < out.shape(0); ++i) {
    if (((left(i, 31) | right(i, 31)) & 0x80) == 0 &&
        combine(&out(i, 0), &left(i, 0), &right(i, 0)) == 0)
      continue;
    sodium_memzero(&out(i, 0), 32);
    if (first_invalid < 0) first_invalid = static_cast<std::int64_t>(i);
  }
  return first_invalid;
}

std::int64_t add_rows_of(OutRows32 out, Rows32 left, Rows32 right) {
  return combine_rows(out, left, right, crypto_core_ristretto255_add);
}

std::int64_t subtract_rows_of(OutRows32 out, Rows32 left, Rows32 right) {
  return combine_rows(out, left, right, crypto_core_ristretto255_sub);
}

// out[i] = scalars[i] * elements[i]; the first i of which elements[i] is unfit, or -1
std::int64_t multiply_each(OutRows32 out, Rows32 elements, Rows32 scalars) {
  return combine_rows(
      out, elements, scalars,
      [](std::uint8_t* product, const std::uint8_t* element, const std::uint8_t* scalar) {
        return crypto_scalarmult_ristretto255(product, scalar, element);
      });
}

// out[i] = scalars[i] * the generator; scalars are not zero
void multiply_base(OutRows32 out, Rows32 scalars) {
  for (std::size_t i = 0; i < out.shape(0); ++i)
    static_cast<void>(crypto_scalarmult_ristretto255_base(&out(i, 0), &scalars(i, 0)));
}

// out = wide mod the order of the group
void reduce_scalar(
    nb::ndarray<std::uint8_t, nb::shape<32>, nb::c_contig, nb::device::cpu> out,
    nb::ndarray<const std::uint8_t, nb::shape<64>, nb::c_contig, nb::device::cpu> wide) {
  crypto_core_ristretto255_scalar_reduce(out.data(), wide.data());
}

}  // namespace

void add_ristretto(nb::module_& m) {
  m.def("hash_to_group", &hash_to_group, nb::arg("out").noconvert(), nb::arg("offsets").noconvert(),
        nb::arg("data").noconvert(), nb::arg("rows").noconvert(), nb::arg("dst").noconvert(),
        nb::arg("threads"), nb::call_guard<nb::gil_scoped_release>());
  m.def("scalar_multiply", &scalar_multiply, nb::arg("out").noconvert(),
        nb::arg("elements").noconvert(), nb::arg("scalar").noconvert(), nb::arg("threads"),
        nb::call_guard<nb::gil_scoped_release>());
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();
  m.def("add_elements", &add_rows_of, nb::arg("out").noconvert(), nb::arg("left").noconvert(),
        nb::arg("right").noconvert(), unlocked);
  m.def("subtract_elements", &subtract_rows_of, nb::arg("out").noconvert(),
        nb::arg("left").noconvert(), nb::arg("right").noconvert(), unlocked);
  m.def("multiply_each", &multiply_each, nb::arg("out").noconvert(),
        nb::arg("elements").noconvert(), nb::arg("scalars").noconvert(), unlocked);
  m.def("multiply_base", &multiply_base, nb::arg("out").noconvert(), nb::arg("scalars").noconvert(),
        unlocked);
  m.def("reduce_scalar", &reduce_scalar, nb::arg("out").noconvert(), nb::arg("wide").noconvert());
}

}  // namespace coffer
