// Which code path the kernels take: what the processor offers, or less if a test asks for less.
#pragma once

namespace coffer {

// Each level holds those before it. The results of all are equal, bit for bit.
//   avx2:   AVX2, FMA, BMI2, ADX, AES-NI, PCLMULQDQ
//   vaes:   and VAES, VPCLMULQDQ on 256 bits
//   avx512: and AVX-512 F, BW, DQ, VL, IFMA
enum class Level { portable, avx2, vaes, avx512 };

// What this processor and its operating system offer.
Level best_level();

// What the kernels take now: best_level() unless it was lowered.
Level level();

// Lowers the level, for tests and benchmarks; one that is not offered is refused (false).
bool use_level(Level wanted);

}  // namespace coffer
