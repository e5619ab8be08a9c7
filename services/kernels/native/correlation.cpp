// What turns trees that the peer knows but for a leaf into correlated bits [Roy22], and those into
// keys. All is secret here: no branch, no index, by it.
#include <bit>

#include "aes.hpp"
#include "kernels.hpp"

namespace coffer {
namespace {

constexpr std::size_t tree_leaves = 256;
constexpr unsigned tree_depth = 8;

// out[i leaves + y] = leaves[i leaves + (y XOR points[i])]: swaps of halves, done or not
void turn(OutBlocks leaves, Bytes points) {
  for (std::size_t i = 0; i < points.shape(0); ++i) {
    Block128* const tree = blocks(leaves) + i * tree_leaves;
    for (unsigned bit = 0; bit < tree_depth; ++bit) {
      const Block128 swap = mask128(points(i) >> bit & 1);
      for (std::size_t y = 0; y < tree_leaves; ++y) {
        if (y >> bit & 1) continue;
        const Block128 moved = (tree[y] ^ tree[y | (1u << bit)]) & swap;
        tree[y] ^= moved;
        tree[y | (1u << bit)] ^= moved;
      }
    }
  }
}

// buffer[count x + j] = block first + j of the stream of seeds[x], x < trees
void stream_chunk(Block128* buffer, const Block128* seeds, std::size_t trees, std::size_t first,
                  std::size_t count, std::uint64_t domain) {
  for (std::size_t x = 0; x < trees; ++x)
    for (std::size_t j = 0; j < count; ++j)
      buffer[count * x + j] = seeds[x] ^ Block128 { first + j, domain };
  encrypt(stream_key, buffer, buffer, trees * count);
  for (std::size_t x = 0; x < trees; ++x)
    for (std::size_t j = 0; j < count; ++j)
      buffer[count * x + j] ^= seeds[x] ^ Block128 { first + j, domain };
}

// out[length x + j] = block j of the stream of seeds[x], in a domain of its own
void stream(OutBlocks out, Blocks seeds, std::uint64_t domain) {
  const std::size_t length = out.shape(0) / seeds.shape(0);
  for (std::size_t x = 0; x < seeds.shape(0); ++x)
    stream_chunk(blocks(out) + x * length, blocks(seeds) + x, 1, 0, length, domain);
}

// totals[first…] = the sum over the leaves x of stream(x); rows[b][first…] that over those x of
// which bit b is set
void fold_chunk(Block128* total, Block128* rows, std::size_t length, const Block128* leaves,
                std::size_t first, std::size_t count) {
  Block128 buffer[tree_leaves * 8] = {};
  stream_chunk(buffer, leaves, tree_leaves, first, count, 0);
  for (unsigned bit = tree_depth; bit--;) {
    const std::size_t half = count << bit;
    Block128* const row = rows + bit * length + first;
    for (std::size_t j = 0; j < count; ++j) row[j] = zero128();
    for (std::size_t x = 0; x < half; x += count)
      for (std::size_t j = 0; j < count; ++j) {
        row[j] ^= buffer[half + x + j];
        buffer[x + j] ^= buffer[half + x + j];
      }
  }
  for (std::size_t j = 0; j < count; ++j) total[first + j] = buffer[j];
}

void fold(OutBlocks totals, OutBlocks rows, Blocks leaves, unsigned threads) {
  constexpr std::size_t width = 8;
  const std::size_t trees = leaves.shape(0) / tree_leaves;
  const std::size_t length = totals.shape(0) / trees;
  const std::size_t chunks = (length + width - 1) / width;
  for_each_row(trees * chunks, threads, [&](std::size_t piece) {
    const std::size_t i = piece / chunks, first = piece % chunks * width;
    fold_chunk(blocks(totals) + i * length, blocks(rows) + i * tree_depth * length, length,
               blocks(leaves) + i * tree_leaves, first, std::min(width, length - first));
  });
}

// Bit r of out[128 g + c] = bit c of rows[r][g]: 128 rows become columns.
void transpose(OutBlocks out, Blocks rows) {
  const std::size_t length = rows.shape(0) / 128;
  for (std::size_t g = 0; g < length; ++g)
    for (unsigned c = 0; c < 128; ++c) {
      Block128 column = zero128();
      for (unsigned r = 0; r < 128; ++r)
        column[r / 64] |= (blocks(rows)[r * length + g][c / 64] >> (c % 64) & 1) << (r % 64);
      blocks(out)[128 * g + c] = column;
    }
}

// out[g] = sum_r x^r rows[r][g]
void combine(OutBlocks out, Blocks rows) {
  const std::size_t length = out.shape(0);
  for (std::size_t g = 0; g < length; ++g) {
    Block128 sum = zero128();
    for (unsigned r = 128; r--;) sum = times_x(sum) ^ blocks(rows)[r * length + g];
    blocks(out)[g] = sum;
  }
}

// out[i] = P(P(in[i]) + first + i) + P(in[i]), P the permutation: a hash that stays random for
// correlated inputs [GKWY20 §7]
void tweaked_hash(OutBlocks out, Blocks in, std::uint64_t first) {
  const std::size_t count = in.shape(0);
  for (std::size_t done = 0; done < count; done += batch) {
    const std::size_t taken = std::min(batch, count - done);
    Block128 once[batch], twice[batch];
    encrypt(hash_key, blocks(in) + done, once, taken);
    for (std::size_t i = 0; i < taken; ++i) twice[i] = once[i] ^ Block128 { first + done + i, 0 };
    encrypt(hash_key, twice, twice, taken);
    for (std::size_t i = 0; i < taken; ++i) blocks(out)[done + i] = twice[i] ^ once[i];
  }
}

}  // namespace

void add_correlation(nb::module_& m) {
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();
  m.def("turn", &turn, nb::arg("leaves").noconvert(), nb::arg("points").noconvert(), unlocked);
  m.def("stream", &stream, nb::arg("out").noconvert(), nb::arg("seeds").noconvert(),
        nb::arg("domain"), unlocked);
  m.def("fold", &fold, nb::arg("totals").noconvert(), nb::arg("rows").noconvert(),
        nb::arg("leaves").noconvert(), nb::arg("threads"), unlocked);
  m.def("transpose", &transpose, nb::arg("out").noconvert(), nb::arg("rows").noconvert(), unlocked);
  m.def("combine", &combine, nb::arg("out").noconvert(), nb::arg("rows").noconvert(), unlocked);
  m.def("tweaked_hash", &tweaked_hash, nb::arg("out").noconvert(), nb::arg("blocks").noconvert(),
        nb::arg("first"), unlocked);
}

}  // namespace coffer
