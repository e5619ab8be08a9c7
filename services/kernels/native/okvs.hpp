// An oblivious key-value store [RR22]: its layout, and where an item's hash puts it.
//
// Where an item lies in memory, and so when it is read, depends on the item. That is seen on the
// machine of the party whose item it is, and by nobody else: what goes over the wire is the table,
// which is uniformly random but for what it decodes to.
#pragma once

#include <cstddef>
#include <cstdint>

#include "field128.hpp"

namespace coffer {

constexpr std::size_t okvs_weight = 3;

// A table is `bins` tables in a row, each of `sparse` elements that items pick three of, and then
// `dense` elements that each item of the bin takes with the powers of its key.
struct OkvsShape {
  std::size_t bins, sparse, dense;
  std::size_t bin_rows() const { return sparse + dense; }
};

// Columns and items of one bin are counted in 16 bits, which keeps its working set in the cache.
constexpr std::size_t okvs_most_sparse = 65535;

// The items of a bin lie far apart in the whole column; asked for this early, they come in time.
constexpr std::size_t okvs_ahead = 64;

// Three distinct sparse columns of a bin.
struct OkvsPlaces {
  std::uint16_t at[okvs_weight];
  std::uint16_t unused;  // eight bytes are written at once
};
static_assert(sizeof(OkvsPlaces) == sizeof(std::uint64_t));

// What each level's file offers. Item i's hash is hashes[order[i]], or hashes[i] if order is null.
struct OkvsRows {
  // bin[i] = the bin of item i
  void (*bins_of)(std::uint32_t* bin, const std::uint8_t* seed, const Block128* hashes,
                  std::size_t count, std::uint32_t bins);
  // keys[i], places[i] = the dense key and the sparse columns of item i
  void (*rows_of)(Block128* keys, OkvsPlaces* places, const std::uint8_t* seed,
                  const Block128* hashes, const std::uint32_t* order, std::size_t count,
                  std::uint32_t sparse);
};

extern const OkvsRows okvs_rows_portable, okvs_rows_avx2, okvs_rows_avx512;

// What a thread needs to solve one bin. `items` is the count of the fullest bin.
struct OkvsScratch {
  Block128* keys;          // items: their dense keys
  Block128* values;        // items: what they decode to, and later the sparse columns' part of it
  OkvsPlaces* places;      // items
  std::uint16_t* rows;     // items, in the order in which they are peeled …
  std::uint16_t* pivots;   // … and the column that each is peeled by
  std::uint32_t* columns;  // sparse: 16 bits of degree, 16 of the exclusive or of the items
  std::uint16_t* queue;    // sparse + 1: the columns that have come to degree one
  std::uint8_t* is_taken;  // sparse: whether the column is a pivot
  std::uint8_t* marks;     // items or sparse, whichever is more
  Block128* system;        // dense * (dense + 1): the equations that the dense columns solve …
  std::uint16_t* gap;      // … dense: and their items
};

// Where the elements come from that nothing determines: 32 secret bytes, and the place of the bin.
struct OkvsFill {
  const std::uint8_t* seed;
  std::uint64_t bin;
};

// Fills a bin's table so that each of `count` items decodes to its value; keys, values and places
// are given. False if hashes are equal, or the dense columns too few for what the triangle leaves.
bool solve_bin(Block128* table, const OkvsShape& shape, OkvsScratch& scratch, std::size_t count,
               const OkvsFill& fill);

}  // namespace coffer
