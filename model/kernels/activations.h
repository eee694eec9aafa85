/* Numbers side by side, and exponential and its kin on them: 16 in a register of AVX-512, or 8 in one of AVX2. Included by
 * the C files beside this one after they have switched either on for what follows and set LANES; the compiler's operators
 * (+, -, *, /) work on `lanes` as on a number. */
#pragma once
#include <immintrin.h>

#if LANES == 16
typedef __m512 lanes;
static inline lanes broadcast(float x) { return _mm512_set1_ps(x); }
static inline lanes load_floats(const float *from) { return _mm512_loadu_ps(from); }
static inline void store_floats(float *to, lanes x) { _mm512_storeu_ps(to, x); }
static inline lanes maximum(lanes x, lanes y) { return _mm512_max_ps(x, y); }
static inline lanes minimum(lanes x, lanes y) { return _mm512_min_ps(x, y); }
static inline lanes rounded(lanes x) { return _mm512_roundscale_ps(x, 0); }
static inline lanes times_two_to_the(lanes x, lanes whole) { return _mm512_scalef_ps(x, whole); }
static inline float largest(lanes x) { return _mm512_reduce_max_ps(x); }
static inline float sum_of(lanes x) { return _mm512_reduce_add_ps(x); }
#else
typedef __m256 lanes;
static inline lanes broadcast(float x) { return _mm256_set1_ps(x); }
static inline lanes load_floats(const float *from) { return _mm256_loadu_ps(from); }
static inline void store_floats(float *to, lanes x) { _mm256_storeu_ps(to, x); }
static inline lanes maximum(lanes x, lanes y) { return _mm256_max_ps(x, y); }
static inline lanes minimum(lanes x, lanes y) { return _mm256_min_ps(x, y); }
static inline lanes rounded(lanes x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

/* `whole` between -126 and 127, whose power of two is made of its bits: what is no number in `x` stays so. */
static inline lanes times_two_to_the(lanes x, lanes whole) {
    const __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127)), 23);
    return x * _mm256_castsi256_ps(exponent);
}

static inline float largest(lanes x) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

static inline float sum_of(lanes x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
#endif

/* e to the x, to about 2 units in the last place from -87 up; below, what is left counts as nothing. What is no number
 * stays so, thanks to the order of the operands of `maximum` and `minimum`. */
static inline lanes exponential(lanes x) {
    const lanes clamped = maximum(broadcast(-87.0f), minimum(broadcast(88.0f), x));
    const lanes whole = rounded(clamped * broadcast(1.44269504f));
    lanes rest = clamped - whole * broadcast(0.693145752f);
    rest = rest - whole * broadcast(1.42860677e-6f);
    lanes series = broadcast(1.0f / 720);
    const float terms[] = {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
    for (int term = 0; term < 6; term++) series = series * rest + broadcast(terms[term]);
    return times_two_to_the(series, whole);
}

static inline lanes sigmoid(lanes x) { return broadcast(1.0f) / (broadcast(1.0f) + exponential(broadcast(0.0f) - x)); }

static inline lanes hyperbolic_tangent(lanes x) { return broadcast(2.0f) * sigmoid(broadcast(2.0f) * x) - broadcast(1.0f); }
