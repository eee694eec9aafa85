/* The network of decode.c for x86 CPUs with AVX2 and no 8-bit dot products: most laptops and servers.
 *
 * vpmaddubsw multiplies unsigned by signed bytes and adds pairs of products in 16 bits with sign, where 255 x 127 twice do
 * not fit. So two neighbouring weights are at most 128 together (model/kernels/packing.py), and all sums are exact. */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "decode.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#endif
#define LANES 8
#include "activations.h"

typedef __m256i whole_lanes;
static inline whole_lanes magnitude_bits(lanes x) { return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff)); }
static inline whole_lanes larger_whole(whole_lanes x, whole_lanes y) { return _mm256_max_epi32(x, y); }
static inline uint32_t where_above(lanes x, lanes y) { return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(x, y, _CMP_GT_OQ)); }
static inline lanes load_halves(const uint16_t *from) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from)); }

static inline int32_t largest_whole(whole_lanes x) {
    __m128i half = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

#define ROWS 4 /* of one block of a product: 8 of 16 registers hold sums */
#define CASES CASE(1) CASE(2) CASE(3)

/* 8 numbers, each times `factor`, as bytes around 128. */
static inline void store_bytes(uint8_t *to, lanes x, lanes factor) {
    const __m256i whole = _mm256_max_epi32(_mm256_cvtps_epi32(x * factor + broadcast(128.0f)), _mm256_set1_epi32(1));
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64((__m128i *)to, _mm_packus_epi16(words, words));
}

/* To each of 8 sums, 4 products of bytes and weights. */
static inline __m256i add_products(__m256i sums, __m256i bytes, __m256i weights) {
    return _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(bytes, weights), _mm256_set1_epi16(1)));
}

/* `rows` (a constant where this is inlined) rows of bytes times 16 outputs from `first` on. */
static inline __attribute__((always_inline)) void half_block(const Linear *linear, const uint8_t *x,
                                                             const float *row_scale, int32_t first, float *y,
                                                             size_t stride, const int rows) {
    const int8_t *weight = linear->weight + (size_t)(first / PANEL) * PANEL * linear->inputs + first % PANEL * 4;
    __m256i sums[ROWS][2];
    for (int half = 0; half < 2; half++)
        for (int row = 0; row < rows; row++)
            sums[row][half] = _mm256_loadu_si256((const __m256i *)(linear->start + first + LANES * half));
    for (int32_t at = 0; at < linear->inputs; at += 4, weight += 4 * PANEL) {
        const __m256i left = _mm256_loadu_si256((const __m256i *)weight);
        const __m256i right = _mm256_loadu_si256((const __m256i *)(weight + 32));
#pragma GCC unroll 4
        for (int row = 0; row < rows; row++) {
            int32_t four;
            memcpy(&four, x + (size_t)row * linear->inputs + at, 4);
            const __m256i bytes = _mm256_set1_epi32(four);
            sums[row][0] = add_products(sums[row][0], bytes, left);
            sums[row][1] = add_products(sums[row][1], bytes, right);
        }
    }
    for (int half = 0; half < 2; half++) {
        const int32_t at = first + LANES * half;
        const lanes scale = load_floats(linear->scale + at), bias = load_floats(linear->bias + at);
        for (int row = 0; row < rows; row++) {
            const lanes scaled = scale * broadcast(row_scale[row]);
            store_floats(y + row * stride + LANES * half, _mm256_cvtepi32_ps(sums[row][half]) * scaled + bias);
        }
    }
}

/* `rows` (a constant where this is inlined) rows of bytes times one panel. */
static inline __attribute__((always_inline)) void block(const Linear *linear, const uint8_t *x, const float *row_scale,
                                                        int32_t panel, float *y, size_t stride, const int rows) {
    half_block(linear, x, row_scale, panel * PANEL, y, stride, rows);
    half_block(linear, x, row_scale, panel * PANEL + PANEL / 2, y + PANEL / 2, stride, rows);
}

#include "decode_network.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

/* NULL on a CPU that cannot run it. Those with AVX2 all have F16C, for which clang 14 cannot ask. */
const Program *avx2_program(void) {
    static const Program program = {.encode = encode, .step = step, .logits = ROWS * CHUNK * PANEL};
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &program : NULL;
}
