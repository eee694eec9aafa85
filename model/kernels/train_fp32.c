/* Training's steps (train_steps.h) on fp32, and the products between them, for x86 CPUs with AVX2: those without fast bf16.
 *
 * A product is blocked as in Goto & van de Geijn 2008: panels of the right side, 16 columns wide, stay in the first-level
 * cache while blocks of the left side pass, six rows at a time, whose 6 x 16 sums fill twelve of sixteen registers. The
 * weights of a recurrent layer are packed once for all time steps. One thread; who has many leaves products to PyTorch. */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int32_t can_train_fp32(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define LANES 8
#include "activations.h"

#define NAMED(function) function##_fp32
typedef float number;

static inline lanes load(const number *from) { return load_floats(from); }
static inline float load_one(const number *from) { return *from; }
static inline void store(number *to, lanes x) { store_floats(to, x); }

#include "train_steps.h"

#define ROWS 6     /* of a tile */
#define COLUMNS 16 /* of a tile: two registers */
#define DEPTH 256  /* of a block: its panel of 16 KiB stays in the first-level cache */
#define HEIGHT 96  /* rows of the left side that are packed at once: 96 KiB in the second-level cache */

static inline int64_t least(int64_t x, int64_t y) { return x < y ? x : y; }

/* Numbers that `pack` writes for a right side [depth, columns]. */
int64_t packed_size(int64_t depth, int64_t columns) { return depth * ((columns + COLUMNS - 1) / COLUMNS) * COLUMNS; }

/* The right side [depth, columns], whose rows are `down` and whose columns `across` apart, as blocks of DEPTH rows, each
 * as panels of 16 columns, the last one filled with zeros. */
void pack(int64_t depth, int64_t columns, const float *right, int64_t down, int64_t across, float *packed) {
    for (int64_t block = 0; block < depth; block += DEPTH) {
        const int64_t deep = least(DEPTH, depth - block);
        for (int64_t panel = 0; panel < columns; panel += COLUMNS, packed += deep * COLUMNS) {
            const float *from = right + block * down + panel * across;
            if (across == 1 && panel + COLUMNS <= columns) {
                for (int64_t row = 0; row < deep; row++) memcpy(packed + row * COLUMNS, from + row * down, COLUMNS * sizeof *from);
                continue;
            }
            for (int64_t column = 0; column < COLUMNS; column++) {
                for (int64_t row = 0; row < deep; row++) {
                    packed[row * COLUMNS + column] = panel + column < columns ? from[row * down + column * across] : 0;
                }
            }
        }
    }
}

/* Rows of the left side as panels of six rows, number by number down each; the last one filled with zeros. */
static void pack_left(int64_t rows, int64_t depth, const float *left, int64_t down, int64_t across, float *packed) {
    for (int64_t panel = 0; panel < rows; panel += ROWS, packed += ROWS * depth) {
        const float *from = left + panel * down;
        if (down == 1 && panel + ROWS <= rows) { /* what a product of a transposed matrix reads */
            for (int64_t at = 0; at < depth; at++) memcpy(packed + at * ROWS, from + at * across, ROWS * sizeof *from);
            continue;
        }
        for (int64_t row = 0; row < ROWS; row++) {
            for (int64_t at = 0; at < depth; at++) {
                packed[at * ROWS + row] = panel + row < rows ? from[row * down + at * across] : 0;
            }
        }
    }
}

/* One tile: left [depth, 6] times right [depth, 16], added to or put into `into` (rows `stride` apart), of which only
 * `height` rows and `width` columns exist. */
static void tile(int64_t depth, const float *left, const float *right, float *into, int64_t stride, int64_t height,
                 int64_t width, int adds) {
    lanes sums[ROWS][2];
    for (int row = 0; row < ROWS; row++) sums[row][0] = sums[row][1] = broadcast(0.0f);
    for (int64_t at = 0; at < depth; at++, left += ROWS, right += COLUMNS) {
        const lanes first = load_floats(right), second = load_floats(right + LANES);
#pragma GCC unroll 6
        for (int row = 0; row < ROWS; row++) {
            const lanes factor = broadcast(left[row]);
            sums[row][0] = factor * first + sums[row][0];
            sums[row][1] = factor * second + sums[row][1];
        }
    }
    for (int64_t row = 0; row < height; row++, into += stride) {
        float whole[COLUMNS];
        float *to = width == COLUMNS ? into : whole;
        if (width < COLUMNS) memcpy(whole, into, (size_t)width * sizeof *into);
        for (int half = 0; half < 2; half++) {
            if (adds) sums[row][half] = sums[row][half] + load_floats(to + half * LANES);
            store_floats(to + half * LANES, sums[row][half]);
        }
        if (width < COLUMNS) memcpy(into, whole, (size_t)width * sizeof *into);
    }
}

/* `into` [rows, columns] (rows `stride` apart) becomes, or with `adds` gets added, left [rows, depth] times a packed right
 * side [depth, columns]. Rows of the left side are `down` apart and its columns `across`. 0, or 1 without memory. */
int32_t multiply_packed(int64_t rows, int64_t columns, int64_t depth, const float *left, int64_t down, int64_t across,
                        const float *packed, float *into, int64_t stride, int32_t adds) {
    float *block = aligned_alloc(64, HEIGHT * DEPTH * sizeof *block);
    if (block == NULL) return 1;
    for (int64_t start = 0; start < depth; start += DEPTH) {
        const int64_t deep = least(DEPTH, depth - start);
        for (int64_t top = 0; top < rows; top += HEIGHT) {
            const int64_t high = least(HEIGHT, rows - top);
            pack_left(high, deep, left + top * down + start * across, down, across, block);
            for (int64_t panel = 0; panel < columns; panel += COLUMNS) {
                for (int64_t row = 0; row < high; row += ROWS) {
                    tile(deep, block + row * deep, packed + panel * deep, into + (top + row) * stride + panel, stride,
                         least(ROWS, high - row), least(COLUMNS, columns - panel), adds || start);
                }
            }
        }
        packed += packed_size(deep, columns);
    }
    free(block);
    return 0;
}

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
