#include "cpu.hpp"

#include <nanobind/stl/string.h>

#include <array>
#include <atomic>
#include <stdexcept>
#include <string>

#include "kernels.hpp"

namespace coffer {
namespace {

constexpr std::array<const char*, 4> names{"portable", "avx2", "vaes", "avx512"};

Level detect() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
      !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("adx") ||
      !__builtin_cpu_supports("aes") || !__builtin_cpu_supports("pclmul"))
    return Level::portable;
  if (!__builtin_cpu_supports("vaes") || !__builtin_cpu_supports("vpclmulqdq")) return Level::avx2;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512ifma"))
    return Level::vaes;
  return Level::avx512;
#else
  return Level::portable;
#endif
}

std::atomic<Level>& current() {
  static std::atomic<Level> chosen{best_level()};
  return chosen;
}

}  // namespace

Level best_level() {
  static const Level found = detect();
  return found;
}

Level level() { return current().load(std::memory_order_relaxed); }

bool use_level(Level wanted) {
  if (wanted > best_level()) return false;
  current().store(wanted, std::memory_order_relaxed);
  return true;
}

void add_cpu(nb::module_& m) {
  m.def("levels", [] {
    nb::list offered;
    for (int each = 0; each <= static_cast<int>(best_level()); ++each) offered.append(names[each]);
    return offered;
  });
  m.def("use_level", [](const std::string& name) {
    for (std::size_t each = 0; each < names.size(); ++each)
      if (name == names[each] && use_level(static_cast<Level>(each))) return;
    throw std::invalid_argument("this processor does not offer " + name);
  });
}

}  // namespace coffer
