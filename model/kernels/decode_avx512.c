/* The network of decode.c for x86 CPUs with AVX-512 VNNI, which multiply four unsigned bytes by four signed ones and add
 * up in one instruction. */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "decode.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif
#define LANES 16
#include "activations.h"

typedef __m512i whole_lanes;
static inline whole_lanes magnitude_bits(lanes x) { return _mm512_castps_si512(_mm512_abs_ps(x)); }
static inline whole_lanes larger_whole(whole_lanes x, whole_lanes y) { return _mm512_max_epi32(x, y); }
static inline int32_t largest_whole(whole_lanes x) { return _mm512_reduce_max_epi32(x); }
static inline uint32_t where_above(lanes x, lanes y) { return _mm512_cmp_ps_mask(x, y, _CMP_GT_OQ); }
static inline lanes load_halves(const uint16_t *from) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from)); }

#define ROWS 12 /* of one block of a product: 24 of 32 registers hold sums */
#define CASES CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11)

/* 16 numbers, each times `factor`, as bytes around 128. */
static inline void store_bytes(uint8_t *to, lanes x, lanes factor) {
    const __m512i whole = _mm512_cvtps_epi32(x * factor + broadcast(128.0f));
    const __m128i bytes = _mm512_cvtusepi32_epi8(_mm512_max_epi32(whole, _mm512_set1_epi32(1)));
    memcpy(to, &bytes, sizeof bytes);
}

/* To each of 16 sums, 4 products of bytes and weights. By hand: from the intrinsic, GCC 12 makes a copy of every sum at
 * every step and runs out of registers; measured, the product takes twice as long. */
static inline __attribute__((always_inline)) void add_products(__m512i *sums, __m512i bytes, __m512i weights) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sums) : "v"(bytes), "v"(weights));
}

/* `rows` (a constant where this is inlined) rows of bytes times one panel, for all inputs. */
static inline __attribute__((always_inline)) void block(const Linear *linear, const uint8_t *x, const float *row_scale,
                                                        int32_t panel, float *y, size_t stride, const int rows) {
    const int8_t *weight = linear->weight + (size_t)panel * PANEL * linear->inputs;
    __m512i sums[ROWS][2];
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++)
#pragma GCC unroll 12
        for (int row = 0; row < rows; row++)
            sums[row][half] = _mm512_loadu_si512(linear->start + panel * PANEL + LANES * half);
    for (int32_t at = 0; at < linear->inputs; at += 4, weight += 4 * PANEL) {
        const __m512i left = _mm512_loadu_si512(weight), right = _mm512_loadu_si512(weight + 64);
#pragma GCC unroll 12
        for (int row = 0; row < rows; row++) {
            int32_t four;
            memcpy(&four, x + (size_t)row * linear->inputs + at, 4);
            const __m512i bytes = _mm512_set1_epi32(four);
            add_products(&sums[row][0], bytes, left);
            add_products(&sums[row][1], bytes, right);
        }
    }
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        const int32_t at = panel * PANEL + LANES * half;
        const lanes scale = load_floats(linear->scale + at), bias = load_floats(linear->bias + at);
#pragma GCC unroll 12
        for (int row = 0; row < rows; row++) {
            const lanes scaled = scale * broadcast(row_scale[row]);
            store_floats(y + row * stride + LANES * half, _mm512_cvtepi32_ps(sums[row][half]) * scaled + bias);
        }
    }
}

#include "decode_network.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

/* NULL on a CPU that cannot run it. */
const Program *avx512_program(void) {
    static const Program program = {.encode = encode, .step = step, .logits = ROWS * CHUNK * PANEL};
    __builtin_cpu_init();
    const int able = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("avx512vnni");
    return able ? &program : NULL;
}
