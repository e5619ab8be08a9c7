#include <sodium.h>

#include <stdexcept>

#include "kernels.hpp"

NB_MODULE(_native, m) {
  if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
  coffer::add_code(m);
  coffer::add_correlation(m);
  coffer::add_cpu(m);
  coffer::add_ggm(m);
  coffer::add_poly(m);
  coffer::add_ristretto(m);
  coffer::add_rows(m);
}
