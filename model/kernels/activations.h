/* Exponential and its kin on 16 numbers at once. Included by the C files beside this one after they have switched
 * AVX-512 on for what follows. */
#pragma once

/* e to the x, to about 2 units in the last place from -87 up; below, what is left counts as nothing. What is no number
 * stays so, thanks to the order of the operands of min and max. */
static inline __m512 exponential(__m512 x) {
    const __m512 clamped = _mm512_max_ps(_mm512_set1_ps(-87.0f), _mm512_min_ps(_mm512_set1_ps(88.0f), x));
    const __m512 whole = _mm512_roundscale_ps(_mm512_mul_ps(clamped, _mm512_set1_ps(1.44269504f)), 0);
    __m512 rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(0.693145752f), clamped);
    rest = _mm512_fnmadd_ps(whole, _mm512_set1_ps(1.42860677e-6f), rest);
    __m512 series = _mm512_set1_ps(1.0f / 720);
    const float terms[] = {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
    for (int term = 0; term < 6; term++) series = _mm512_fmadd_ps(series, rest, _mm512_set1_ps(terms[term]));
    return _mm512_scalef_ps(series, whole);
}

static inline __m512 sigmoid(__m512 x) {
    const __m512 one = _mm512_set1_ps(1.0f);
    return _mm512_div_ps(one, _mm512_add_ps(one, exponential(_mm512_sub_ps(_mm512_setzero_ps(), x))));
}

static inline __m512 hyperbolic_tangent(__m512 x) {
    const __m512 two = _mm512_set1_ps(2.0f);
    return _mm512_fmsub_ps(two, sigmoid(_mm512_mul_ps(two, x)), _mm512_set1_ps(1.0f));
}
