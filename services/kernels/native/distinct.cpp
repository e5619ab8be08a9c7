// Equality within a column of uniform hashes, by a table of their places.
#include <cstring>

#include "kernels.hpp"

namespace coffer {
namespace {

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

// found[i] = the place of the first hash that equals the i-th
void first_of_each(OutIndices found, OutWords64 slots, Blocks hashes) {
  const std::size_t count = hashes.shape(0);
  Index index(slots.data(), slots.shape(0));
  index.clear();
  for (std::size_t i = 0; i < count; ++i) {
    if (i + Index::ahead < count) index.fetch(hashes(i + Index::ahead, 0));
    std::uint64_t& slot = index.slot(hashes(i, 0), [&](std::int64_t j) {
      return hashes(i, 0) == hashes(j, 0) && hashes(i, 1) == hashes(j, 1);
    });
    if (Index::place(slot) < 0) Index::put(slot, hashes(i, 0), i);
    found(i) = Index::place(slot);
  }
}

}  // namespace

void add_distinct(nb::module_& m) {
  m.def("first_of_each", &first_of_each, nb::arg("found").noconvert(), nb::arg("slots").noconvert(),
        nb::arg("hashes").noconvert(), nb::call_guard<nb::gil_scoped_release>());
}

}  // namespace coffer
