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

/* Rows of a left side whose rows lie side by side (a transposed matrix) as panels of six rows, number by number down each;
 * the last one filled with zeros. */
static void pack_left(int64_t rows, int64_t depth, const float *left, int64_t across, float *packed) {
    for (int64_t panel = 0; panel < rows; panel += ROWS, packed += ROWS * depth) {
        if (panel + ROWS <= rows) {
            for (int64_t at = 0; at < depth; at++) {
                memcpy(packed + at * ROWS, left + at * across + panel, ROWS * sizeof *packed);
            }
            continue;
        }
        for (int64_t at = 0; at < depth; at++) {
            for (int64_t row = 0; row < ROWS; row++) {
                packed[at * ROWS + row] = panel + row < rows ? left[at * across + panel + row] : 0;
            }
        }
    }
}

/* Where the sums of a tile go: `height` rows, `stride` apart, of `width` numbers. They are added to what is there, to
 * `bias`, or to nothing. */
typedef struct {
    float *into;
    int64_t stride, height, width;
    const float *bias;
    int adds;
} Place;

/* Where a tile lies at the edge of the result. */
static __attribute__((noinline)) void put_at_edge(lanes sums[ROWS][2], const Place *place) {
    float whole[COLUMNS] = {0};
    const size_t bytes = (size_t)place->width * sizeof *whole;
    for (int64_t row = 0; row < place->height; row++) {
        float *to = place->into + row * place->stride;
        const float *more = place->adds ? to : place->bias;
        if (more != NULL && place->width < COLUMNS) more = memcpy(whole, more, bytes);
        for (int half = 0; half < 2; half++) {
            if (more != NULL) sums[row][half] = sums[row][half] + load_floats(more + half * LANES);
            store_floats((place->width < COLUMNS ? whole : to) + half * LANES, sums[row][half]);
        }
        if (place->width < COLUMNS) memcpy(to, whole, bytes);
    }
}

/* One tile: left [6, depth] times right [depth, 16]. Rows of the left side are `down` apart and its columns `across`, which
 * are known where this is inlined. */
static inline __attribute__((always_inline)) void tile(int64_t depth, const float *left, int64_t down, int64_t across,
                                                       const float *right, const Place *place) {
    const float *rows[ROWS];
    for (int64_t row = 0; row < ROWS; row++) rows[row] = left + least(row, place->height - 1) * down;
    lanes sums[ROWS][2];
    for (int row = 0; row < ROWS; row++) sums[row][0] = sums[row][1] = broadcast(0.0f);
    for (int64_t at = 0; at < depth; at++, right += COLUMNS) {
        const lanes first = load_floats(right), second = load_floats(right + LANES);
#pragma GCC unroll 6
        for (int row = 0; row < ROWS; row++) {
            const lanes factor = broadcast(rows[row][at * across]);
            sums[row][0] = factor * first + sums[row][0];
            sums[row][1] = factor * second + sums[row][1];
        }
    }
    if (place->height < ROWS || place->width < COLUMNS) {
        put_at_edge(sums, place);
        return;
    }
    const float *more = place->adds ? place->into : place->bias;
    const int64_t step = place->adds ? place->stride : 0;
#pragma GCC unroll 6
    for (int row = 0; row < ROWS; row++) {
        float *to = place->into + row * place->stride;
        if (more != NULL) {
            sums[row][0] = sums[row][0] + load_floats(more + row * step);
            sums[row][1] = sums[row][1] + load_floats(more + row * step + LANES);
        }
        store_floats(to, sums[row][0]);
        store_floats(to + LANES, sums[row][1]);
    }
}

static void tile_of_rows(int64_t depth, const float *left, int64_t down, const float *right, const Place *place) {
    tile(depth, left, down, 1, right, place);
}

static void tile_of_panel(int64_t depth, const float *left, const float *right, const Place *place) {
    tile(depth, left, 1, ROWS, right, place);
}

/* `into` [rows, columns] (rows `stride` apart) becomes left [rows, depth] times a packed right side [depth, columns], plus
 * `bias` [columns] if that is not null, or with `adds` gets it added. Rows of the left side are `down` apart and its
 * columns `across`; one of them is 1. 0, or 1 without memory. */
int32_t multiply_packed(int64_t rows, int64_t columns, int64_t depth, const float *left, int64_t down, int64_t across,
                        const float *packed, float *into, int64_t stride, const float *bias, int32_t adds) {
    float *block = across == 1 ? NULL : aligned_alloc(64, HEIGHT * DEPTH * sizeof *block);
    if (across != 1 && block == NULL) return 1;
    for (int64_t start = 0; start < depth; start += DEPTH) {
        const int64_t deep = least(DEPTH, depth - start);
        for (int64_t top = 0; top < rows; top += HEIGHT) {
            const int64_t high = least(HEIGHT, rows - top);
            const float *from = left + top * down + start * across;
            if (across != 1) pack_left(high, deep, from, across, block);
            for (int64_t panel = 0; panel < columns; panel += COLUMNS) {
                const float *right = packed + panel * deep;
                for (int64_t row = 0; row < high; row += ROWS) {
                    const Place place = {.into = into + (top + row) * stride + panel, .stride = stride,
                                         .height = least(ROWS, high - row), .width = least(COLUMNS, columns - panel),
                                         .bias = bias == NULL ? NULL : bias + panel, .adds = adds || start};
                    if (across == 1) tile_of_rows(deep, from + row * down, down, right, &place);
                    else tile_of_panel(deep, block + row * deep, right, &place);
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
