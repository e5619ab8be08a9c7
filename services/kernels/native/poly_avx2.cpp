// Sixteen products are added up before they are reduced.
#include "poly.hpp"

namespace coffer {

Block128 evaluate_avx2(const Block128* v, std::size_t count, Block128 point) {
  constexpr std::size_t stride = 16;
  Block128 powers[stride + 1] = {Block128{1, 0}};
  for (std::size_t i = 1; i <= stride; ++i) powers[i] = mul128(powers[i - 1], point);
  const auto raw = [](Block128 a) { return reinterpret_cast<__m128i>(a); };
  Block128 sum = zero128();
  std::size_t left = count;
  for (; left % stride; --left) sum = mul128(sum, point) ^ v[left - 1];
  for (; left; left -= stride) {
    Wide wide = widen(raw(sum), raw(powers[stride]));
    for (std::size_t i = 0; i < stride; ++i)
      wide = wide ^ widen(raw(v[left - stride + i]), raw(powers[i]));
    sum = reinterpret_cast<Block128>(reduce(wide));
  }
  return sum;
}

}  // namespace coffer
