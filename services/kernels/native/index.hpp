// A hash table of the places of uniform strings: their first eight bytes are the hash. Strings are
// compared in the clear, by the party that may know which of them are equal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace coffer {

// A slot is zero, or holds a place plus one and above it the hash's lower 32 bits: unlike strings
// are seldom looked at. There are at least two slots, a power of two, and more than strings.
class Index {
 public:
  static constexpr std::size_t ahead = 16;  // strings whose slot is fetched before it is needed

  Index(std::uint64_t* slots, std::size_t count)
      : slots_(slots), mask_(count - 1), shift_(64 - __builtin_ctzll(count)) {}

  void clear() { std::memset(slots_, 0, (mask_ + 1) * sizeof *slots_); }

  void fetch(std::uint64_t hash) const { __builtin_prefetch(slots_ + home(hash), 1); }

  // The first slot from the hash's home on that is empty, or whose place is(place) says is the one.
  template <typename Is>
  std::uint64_t& slot(std::uint64_t hash, const Is& is) {
    for (std::size_t at = home(hash);; at = (at + 1) & mask_) {
      std::uint64_t& found = slots_[at];
      if (place(found) < 0 || (found >> 32 == tag(hash) && is(place(found)))) return found;
    }
  }

  // The place that may be the one, or any other, for it to be fetched; -1 if there is none.
  std::int64_t guess(std::uint64_t hash) const {
    const std::uint64_t found = slots_[home(hash)];
    return found >> 32 == tag(hash) ? place(found) : -1;
  }

  static void put(std::uint64_t& slot, std::uint64_t hash, std::size_t place) {
    slot = std::uint64_t{tag(hash)} << 32 | static_cast<std::uint32_t>(place + 1);
  }
  static std::int64_t place(std::uint64_t slot) {
    return static_cast<std::int64_t>(slot & 0xffffffff) - 1;
  }

 private:
  static std::uint32_t tag(std::uint64_t hash) { return static_cast<std::uint32_t>(hash); }
  std::size_t home(std::uint64_t hash) const { return hash >> shift_; }

  std::uint64_t* slots_;
  std::size_t mask_;
  unsigned shift_;
};

}  // namespace coffer
