/* Training's steps (train_steps.h) on bf16, for x86 CPUs with AVX-512. The products stay PyTorch's, which has them from
 * oneDNN in the CPU's bf16 instructions. */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

int32_t can_train_bf16(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif
#define LANES 16
#include "activations.h"

#define NAMED(function) function##_bf16
typedef uint16_t number; /* the upper half of a float */

static inline lanes load(const number *from) {
    __m256i narrow;
    memcpy(&narrow, from, sizeof narrow);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16));
}

static inline float load_one(const number *from) {
    const uint32_t bits = (uint32_t)*from << 16; /* a bf16 alone becomes an int, and its highest bit the sign */
    float wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

/* Rounded to nearest, ties to even. */
static inline void store(number *to, lanes x) {
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i nearest = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __m256i narrow = _mm512_cvtepi32_epi16(_mm512_srli_epi32(nearest, 16));
    memcpy(to, &narrow, sizeof narrow);
}

#include "train_steps.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
