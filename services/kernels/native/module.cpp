#include <sodium.h>

#include <stdexcept>

#include "kernels.hpp"

NB_MODULE(_native, m) {
  if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
  coffer::add_code(m);
  coffer::add_correlation(m);
  coffer::add_cpu(m);
  coffer::add_curve25519(m);
  coffer::add_distinct(m);
  coffer::add_field128(m);
  coffer::add_ggm(m);
  coffer::add_images(m);
  coffer::add_keyhash(m);
  coffer::add_okvs(m);
  coffer::add_ristretto(m);
  coffer::add_rows(m);
  coffer::add_shuffle(m);
}
