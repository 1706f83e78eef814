/* SPDX-License-Identifier: MIT */
/* Binary trees, built and freed node by node: the C library's malloc, recursion, pointers. Size: depth. */
#include "bench.h"

typedef struct Tree Tree;
struct Tree {
	Tree *left, *right;
};

static Tree *grow(int depth)
{
	Tree *tree = allocate(sizeof *tree);

	tree->left = depth ? grow(depth - 1) : NULL;
	tree->right = depth ? grow(depth - 1) : NULL;
	return tree;
}

static uint64_t count(const Tree *tree)
{
	return tree->left ? 1 + count(tree->left) + count(tree->right) : 1;
}

static void fell(Tree *tree)
{
	if (tree->left) {
		fell(tree->left);
		fell(tree->right);
	}
	free(tree);
}

int main(int argc, char **argv)
{
	int deepest = (int)size_or(argc, argv, 18);
	Tree *lasting = grow(deepest);
	uint64_t sum = 0;

	for (int depth = 4; depth <= deepest; depth += 4)
		for (int64_t i = (int64_t)1 << (deepest - depth + 4); i; i--) {
			Tree *tree = grow(depth);

			sum = sum * 31 + count(tree);
			fell(tree);
		}
	sum += count(lasting);
	fell(lasting);
	return report(sum);
}
