// Trees of seeds [GGM86]: each node has two children by a fixed-key PRG, and a tree can be given
// away but for one leaf. Nodes and the missing leaves are secret: no branch, no index, by them.
#include <bit>
#include <cstring>

#include "aes.hpp"
#include "kernels.hpp"

namespace coffer {
namespace {

// How a tree with a given count of leaves, at least 2, is cut: level d has width(d) nodes, the
// first ones of 2^d, as many as have leaves below them. Where that is an odd number the last has a
// sibling with none below, a stump: it is a node as any, from which nothing grows. So each way that
// bits can name, also one that leads to no leaf, misses a leaf or a stump.
struct Shape {
  std::size_t leaves;
  unsigned depth;

  explicit Shape(std::size_t count)
      : leaves(count), depth(static_cast<unsigned>(std::bit_width(count - 1))) {}
  std::size_t width(unsigned level) const { return ((leaves - 1) >> (depth - level)) + 1; }
};

// Replaces the nodes of a level by those of the next, both at the end of `tree`; sums[b] = the sum
// of the left (b = 0) and of the right ones; returns the stump among the latter, zero if none.
Block128 double_level(Block128* tree, const Shape& shape, unsigned level, Block128* sums) {
  const std::size_t parents = shape.width(level), children = shape.width(level + 1);
  const Block128* from = tree + shape.leaves - parents;
  Block128* to = tree + shape.leaves - children;
  sums[0] = sums[1] = zero128();
  Block128 taken[batch], left[batch], right[batch];
  for (std::size_t first = 0; first < parents; first += batch) {
    const std::size_t count = std::min(batch, parents - first);
    std::memcpy(taken, from + first, count * sizeof *taken);
    encrypt(left_key, taken, left, count);
    encrypt(right_key, taken, right, count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t child = 2 * (first + i);
      const Block128 even = left[i] ^ taken[i], odd = right[i] ^ taken[i];
      sums[0] ^= even;
      sums[1] ^= odd;
      to[child] = even;
      if (child + 1 == children) return odd;  // public: only the last one can be a stump
      to[child + 1] = odd;
    }
  }
  return zero128();
}

// All ones if a = b, else zeros.
std::uint64_t equal(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t differs = a ^ b;
  return ((differs | (0 - differs)) >> 63) - 1;
}

Block128 select(std::uint64_t mask, Block128 yes, Block128 no) {
  const Block128 wide{mask, mask};
  return (yes & wide) | (no & ~wide);
}

// Puts a pair of siblings in its place among the nodes of a level.
void place_pair(Block128* nodes, std::size_t count, std::uint64_t pair, Block128 even,
                Block128 odd) {
  std::size_t i = 0;
  for (; i + 2 <= count; i += 2) {
    const std::uint64_t here = equal(i / 2, pair);
    nodes[i] = select(here, even, nodes[i]);
    nodes[i + 1] = select(here, odd, nodes[i + 1]);
  }
  if (i < count) nodes[i] = select(equal(i / 2, pair), even, nodes[i]);
}

// Fills in a tree from the sums of the siblings on the way to the leaf `point`, which becomes the
// sum of all others, of the stumps and of `rest`.
void evaluate_tree(Block128* tree, std::size_t leaves, std::uint64_t point,
                   const Block128* siblings, Block128 rest) {
  // Where a node is unknown stands zero; its children are these constants, to be left out.
  Block128 of_zero[2] = {zero128(), zero128()};
  encrypt(left_key, of_zero, of_zero, 1);
  encrypt(right_key, of_zero + 1, of_zero + 1, 1);
  const Shape shape(leaves);
  tree[leaves - 1] = zero128();
  Block128 stumps = rest;
  for (unsigned level = 0; level < shape.depth; ++level) {
    Block128 sums[2];
    const Block128 stump = double_level(tree, shape, level, sums);
    const std::size_t width = shape.width(level + 1);
    const std::uint64_t node = point >> (shape.depth - 1 - level), is_odd = 0 - (node & 1);
    const Block128 lefts = sums[0] ^ of_zero[0], rights = sums[1] ^ of_zero[1];
    const Block128 sibling = siblings[level] ^ select(is_odd, lefts, rights);
    Block128 missing = zero128();
    if (level + 1 == shape.depth) missing = lefts ^ rights ^ sibling ^ stumps;
    if (width & 1) stumps ^= select(equal(node, width - 1), sibling, stump);
    place_pair(tree + leaves - width, width, node >> 1, select(is_odd, sibling, missing),
               select(is_odd, missing, sibling));
  }
}

// tree = the leaves below the root; sums[2 l + b] = that of the left or right nodes of level l + 1;
// returns the sum of all leaves and stumps.
Block128 expand_tree(Block128* tree, std::size_t leaves, Block128 root, Block128* sums) {
  const Shape shape(leaves);
  tree[leaves - 1] = root;
  Block128 total = zero128();
  for (unsigned level = 0; level + 1 < shape.depth; ++level)
    total ^= double_level(tree, shape, level, sums + 2 * level);
  Block128* const last = sums + 2 * (shape.depth - 1);
  double_level(tree, shape, shape.depth - 1, last);
  return total ^ last[0] ^ last[1];
}

void expand(OutBlocks leaves, OutBlocks sums, OutBlocks totals, Blocks roots, unsigned threads) {
  const std::size_t trees = roots.shape(0);
  const std::size_t size = leaves.shape(0) / trees, width = sums.shape(0) / trees;
  for_each_row(trees, threads, [&](std::size_t i) {
    blocks(totals)[i] =
        expand_tree(blocks(leaves) + i * size, size, blocks(roots)[i], blocks(sums) + i * width);
  });
}

void evaluate(OutBlocks leaves, Indices points, Blocks siblings, Blocks rests, unsigned threads) {
  const std::size_t trees = points.shape(0);
  const std::size_t size = leaves.shape(0) / trees, depth = siblings.shape(0) / trees;
  for_each_row(trees, threads, [&](std::size_t i) {
    evaluate_tree(blocks(leaves) + i * size, size, static_cast<std::uint64_t>(points(i)),
                  blocks(siblings) + i * depth, blocks(rests)[i]);
  });
}

}  // namespace

void add_ggm(nb::module_& m) {
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();
  m.def("ggm_expand", &expand, nb::arg("leaves").noconvert(), nb::arg("sums").noconvert(),
        nb::arg("totals").noconvert(), nb::arg("roots").noconvert(), nb::arg("threads"), unlocked);
  m.def("ggm_evaluate", &evaluate, nb::arg("leaves").noconvert(), nb::arg("points").noconvert(),
        nb::arg("siblings").noconvert(), nb::arg("rests").noconvert(), nb::arg("threads"),
        unlocked);
}

}  // namespace coffer
