// expand_message_xmd over SHA-512 [RFC9380 §5.3.1] for up to 64 bytes, which one block gives.
#pragma once

#include <sodium.h>

#include <cstddef>
#include <cstdint>

namespace coffer {

class ExpandMessage {
 public:
  static constexpr std::size_t most_bytes = crypto_hash_sha512_BYTES;

  // `dst` has 1…255 bytes and outlives this; `length`, up to most_bytes, is that of the results.
  ExpandMessage(const std::uint8_t* dst, std::size_t dst_length, std::uint8_t length)
      : dst_(dst), dst_length_(static_cast<std::uint8_t>(dst_length)), length_(length) {
    static constexpr std::uint8_t zeros[128] = {};  // Z_pad, a block of SHA-512
    crypto_hash_sha512_init(&padded_);
    crypto_hash_sha512_update(&padded_, zeros, sizeof zeros);
  }

  // Writes most_bytes, of which the first `length` are the result.
  void operator()(std::uint8_t* uniform, const std::uint8_t* message, std::size_t size) const {
    const std::uint8_t length_and_zero[] = {0, length_, 0};
    static constexpr std::uint8_t one = 1;
    crypto_hash_sha512_state hash = padded_;
    crypto_hash_sha512_update(&hash, message, size);
    crypto_hash_sha512_update(&hash, length_and_zero, sizeof length_and_zero);
    absorb_suffix(hash);
    crypto_hash_sha512_final(&hash, uniform);  // b_0
    crypto_hash_sha512_init(&hash);
    crypto_hash_sha512_update(&hash, uniform, most_bytes);
    crypto_hash_sha512_update(&hash, &one, 1);
    absorb_suffix(hash);
    crypto_hash_sha512_final(&hash, uniform);  // b_1
  }

 private:
  void absorb_suffix(crypto_hash_sha512_state& hash) const {
    crypto_hash_sha512_update(&hash, dst_, dst_length_);
    crypto_hash_sha512_update(&hash, &dst_length_, 1);  // DST_prime = DST || I2OSP(len(DST), 1)
  }

  const std::uint8_t* dst_;
  std::uint8_t dst_length_, length_;
  crypto_hash_sha512_state padded_;
};

}  // namespace coffer
