// One bin of the store: triangulation by peeling, a few rows solved by the dense columns, and back
// propagation [RR22 §2, figure 1]. Branches and addresses depend on the items: see okvs.hpp.
#include <sodium.h>

#include <cstring>

#include "okvs.hpp"

namespace coffer {
namespace {

constexpr std::uint32_t one_more = 1 << 16;  // in a column's degree

std::uint32_t degree_of(std::uint32_t column) { return column >> 16; }
std::uint16_t item_of(std::uint32_t column) { return static_cast<std::uint16_t>(column); }

bool is_zero(Block128 a) { return (a[0] | a[1]) == 0; }

class Peeling {
 public:
  Peeling(const OkvsShape& shape, OkvsScratch& scratch, std::size_t count)
      : shape_(shape), scratch_(scratch), count_(count) {
    std::memset(scratch_.columns, 0, shape_.sparse * sizeof *scratch_.columns);
    std::memset(scratch_.is_taken, 0, shape_.sparse);
    for (std::size_t i = 0; i < count_; ++i)
      for (const auto place : scratch_.places[i].at)
        scratch_.columns[place] =
            (scratch_.columns[place] + one_more) ^ static_cast<std::uint32_t>(i);
    for (std::size_t c = 0; c < shape_.sparse; ++c) queue_if_single(static_cast<std::uint16_t>(c));
  }

  // Orders all items into rows that are solved by a pivot, and a gap that the dense columns solve.
  // False if the gap is wider than there are dense columns.
  bool run() {
    for (;;) {
      peel();
      if (peeled_ + gap_ == count_) return true;
      if (!widen_gap()) return false;
    }
  }

  std::size_t peeled() const { return peeled_; }
  std::size_t gap() const { return gap_; }

 private:
  void queue_if_single(std::uint16_t c) {
    scratch_.queue[queued_] = c;  // each column comes to degree one but once, so there is room
    queued_ += degree_of(scratch_.columns[c]) == 1;
  }

  void remove(std::uint16_t item) {
    for (const auto place : scratch_.places[item].at) {
      scratch_.columns[place] = (scratch_.columns[place] - one_more) ^ item;
      queue_if_single(place);
    }
  }

  void peel() {
    while (taken_ < queued_) {
      const std::uint16_t c = scratch_.queue[taken_++];
      if (degree_of(scratch_.columns[c]) != 1) continue;  // its item went by another column
      const std::uint16_t item = item_of(scratch_.columns[c]);
      scratch_.rows[peeled_] = item;
      scratch_.pivots[peeled_++] = c;
      scratch_.is_taken[c] = 1;
      remove(item);
    }
  }

  // A column of least degree, so that least items go: all that stand in it but one [RR22 step 2a].
  std::uint16_t thinnest() const {
    std::size_t best = 0;
    for (std::size_t c = 0; c < shape_.sparse; ++c) {
      const std::uint32_t degree = degree_of(scratch_.columns[c]);
      const std::uint32_t least = degree_of(scratch_.columns[best]);
      if (degree != 0 && (least == 0 || degree < least)) best = c;
    }
    return static_cast<std::uint16_t>(best);
  }

  // Which items still stand in a column takes a search. It is for the few items of a gap, or for a
  // seed that is of no use anyway.
  bool widen_gap() {
    const std::uint16_t c = thinnest();
    if (gap_ + degree_of(scratch_.columns[c]) - 1 > shape_.dense) return false;
    std::memset(scratch_.marks, 0, count_);
    for (std::size_t k = 0; k < peeled_; ++k) scratch_.marks[scratch_.rows[k]] = 1;
    for (std::size_t k = 0; k < gap_; ++k) scratch_.marks[scratch_.gap[k]] = 1;
    for (std::size_t i = 0; degree_of(scratch_.columns[c]) > 1; ++i) {
      if (scratch_.marks[i] != 0 || !stands_in(i, c)) continue;
      scratch_.gap[gap_++] = static_cast<std::uint16_t>(i);
      remove(static_cast<std::uint16_t>(i));
    }
    return true;
  }

  bool stands_in(std::size_t item, std::uint16_t c) const {
    for (const auto place : scratch_.places[item].at)
      if (place == c) return true;
    return false;
  }

  const OkvsShape& shape_;
  OkvsScratch& scratch_;
  const std::size_t count_;
  std::size_t queued_ = 0, taken_ = 0, peeled_ = 0, gap_ = 0;
};

// Zeros for the pivots, and for all other columns what `fill` draws, in their order.
void fill_columns(Block128* table, const OkvsShape& shape, const OkvsScratch& scratch,
                  std::size_t peeled, const OkvsFill& fill) {
  const std::size_t rows = shape.bin_rows(), free = rows - peeled;
  std::uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
  static_assert(sizeof nonce == sizeof fill.bin);
  std::memcpy(nonce, &fill.bin, sizeof nonce);
  // Drawn into the end of the table, then moved down: never past one that is still to be moved.
  const Block128* next = table + peeled;
  crypto_stream_chacha20(reinterpret_cast<std::uint8_t*>(table + peeled), free * sizeof *table,
                         nonce, fill.seed);
  for (std::size_t c = 0; c < shape.sparse; ++c)
    table[c] = scratch.is_taken[c] != 0 ? zero128() : *next++;
}

// A row of B' [RR22 step 3]: an item of the gap, from which rows that were peeled are taken away
// until it stands in no pivot. equation = the powers of its key, and its value, less theirs.
void zero_pivots(Block128* equation, const Block128* table, const OkvsShape& shape,
                 OkvsScratch& scratch, std::size_t peeled, std::uint16_t gap_item) {
  std::uint8_t* const marks = scratch.marks;
  std::memset(marks, 0, shape.sparse);
  std::memset(static_cast<void*>(equation), 0, (shape.dense + 1) * sizeof *equation);
  const auto add_item = [&](std::uint16_t item) {
    for (const auto place : scratch.places[item].at) marks[place] ^= 1;
    Block128 power = scratch.keys[item];
    for (std::size_t j = 0; j < shape.dense; ++j) {
      equation[j] ^= power;
      power = multiply(power, scratch.keys[item]);
    }
    equation[shape.dense] ^= scratch.values[item];
  };
  add_item(gap_item);
  for (std::size_t k = 0; k < peeled; ++k)  // a row holds no pivot of those peeled before it
    if (marks[scratch.pivots[k]] != 0) add_item(scratch.rows[k]);
  for (std::size_t c = 0; c < shape.sparse; ++c)
    if (marks[c] != 0) equation[shape.dense] ^= table[c];
}

// Gaussian elimination [RR22 step 4]; pivots[r] = the dense column that row r determines. False if
// the rows are dependent.
bool reduce_rows(Block128* system, std::size_t rows, std::size_t dense, std::uint16_t* pivots) {
  const std::size_t width = dense + 1;
  for (std::size_t r = 0; r < rows; ++r) {
    Block128* const row = system + r * width;
    std::size_t pivot = 0;
    while (pivot < dense && is_zero(row[pivot])) ++pivot;
    if (pivot == dense) return false;
    pivots[r] = static_cast<std::uint16_t>(pivot);
    const Block128 inverse = invert(row[pivot]);
    for (std::size_t j = 0; j < width; ++j) row[j] = multiply(row[j], inverse);
    for (std::size_t other = 0; other < rows; ++other) {
      if (other == r) continue;
      const Block128 factor = system[other * width + pivot];
      for (std::size_t j = 0; j < width; ++j) system[other * width + j] ^= multiply(factor, row[j]);
    }
  }
  return true;
}

// Sets those dense columns that the gap determines; the others stay as they were drawn.
bool solve_dense(Block128* table, const OkvsShape& shape, OkvsScratch& scratch,
                 const Peeling& peeling) {
  const std::size_t width = shape.dense + 1;
  std::uint16_t* const pivots = scratch.queue;  // which has done its work
  Block128* const dense = table + shape.sparse;
  for (std::size_t r = 0; r < peeling.gap(); ++r)
    zero_pivots(scratch.system + r * width, table, shape, scratch, peeling.peeled(),
                scratch.gap[r]);
  if (!reduce_rows(scratch.system, peeling.gap(), shape.dense, pivots)) return false;
  for (std::size_t r = 0; r < peeling.gap(); ++r) {
    const Block128* const row = scratch.system + r * width;
    dense[pivots[r]] = zero128();
    Block128 value = row[shape.dense];
    // A reduced row is zero at the pivots of all others.
    for (std::size_t j = 0; j < shape.dense; ++j) value ^= multiply(row[j], dense[j]);
    dense[pivots[r]] = value;
  }
  return true;
}

}  // namespace

bool solve_bin(Block128* table, const OkvsShape& shape, OkvsScratch& scratch, std::size_t count,
               const OkvsFill& fill) {
  Peeling peeling(shape, scratch, count);
  if (!peeling.run()) return false;
  fill_columns(table, shape, scratch, peeling.peeled(), fill);
  if (peeling.gap() != 0 && !solve_dense(table, shape, scratch, peeling)) return false;
  field_now().evaluate(scratch.values, scratch.keys, count, table + shape.sparse, shape.dense);
  for (std::size_t k = peeling.peeled(); k-- > 0;) {  // back propagation [RR22 step 5]
    Block128 value = scratch.values[scratch.rows[k]];
    for (const auto place : scratch.places[scratch.rows[k]].at) value ^= table[place];
    table[scratch.pivots[k]] = value;  // which was zero until now
  }
  return true;
}

}  // namespace coffer
