/* What training does to every number between two products, for x86 CPUs with AVX-512: one step of a GRU forwards and
 * backwards, and the gradient of the cross-entropy over the vocabulary.
 *
 * PyTorch takes some twenty kernels a time step for it, each of which reads and writes the whole batch; here each number
 * is read once. The products stay PyTorch's, which has them from oneDNN in the CPU's bf16 instructions. Numbers outside
 * are bf16, inside fp32.
 */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif
#include "activations.h"

#define WIDTH 16 /* numbers in a register; the caller's sizes are multiples of it */

typedef uint16_t bf16; /* the upper half of a float */

static inline __m512 load(const bf16 *from) {
    __m256i narrow;
    memcpy(&narrow, from, sizeof narrow);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16));
}

static inline float load_one(const bf16 *from) {
    const uint32_t bits = (uint32_t)*from << 16; /* a bf16 alone becomes an int, and its highest bit the sign */
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* Rounded to nearest, ties to even. */
static inline void store(bf16 *to, __m512 x) {
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __m256i narrow = _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
    memcpy(to, &narrow, sizeof narrow);
}

static inline void add_to(float *to, __m512 x) { _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), x)); }

/* One time step of a GRU as PyTorch defines it:
 *
 *     reset = s(i_r + h_r)   update = s(i_z + h_z)   new = tanh(i_n + reset h_n)   next = new + update (state - new)
 *
 * with i = W x (rows `inputs_stride` apart) and h = U state [rows, 3 size], to which the biases [3 size] are added here.
 * The next state goes to `next` [rows, size] and to `outputs` (rows `outputs_stride` apart); `kept` [rows, 4 size] is
 * reset, update, new and h_n for the way back. */
void gru_forward(int64_t rows, int64_t size, const bf16 *inputs, int64_t inputs_stride, const bf16 *products,
                 const float *input_bias, const float *state_bias, const bf16 *state, bf16 *next, bf16 *outputs,
                 int64_t outputs_stride, bf16 *kept) {
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t at = 0; at < size; at += WIDTH) {
            __m512 sums[2];
            for (int gate = 0; gate < 2; gate++) {
                const int64_t place = gate * size + at;
                const __m512 bias = _mm512_add_ps(_mm512_loadu_ps(input_bias + place), _mm512_loadu_ps(state_bias + place));
                sums[gate] = _mm512_add_ps(_mm512_add_ps(load(inputs + place), load(products + place)), bias);
            }
            const int64_t place = 2 * size + at;
            const __m512 reset = sigmoid(sums[0]), update = sigmoid(sums[1]);
            const __m512 of_state = _mm512_add_ps(load(products + place), _mm512_loadu_ps(state_bias + place));
            const __m512 of_input = _mm512_add_ps(load(inputs + place), _mm512_loadu_ps(input_bias + place));
            const __m512 new = hyperbolic_tangent(_mm512_fmadd_ps(reset, of_state, of_input));
            const __m512 result = _mm512_fmadd_ps(update, _mm512_sub_ps(load(state + at), new), new);
            store(next + at, result);
            store(outputs + at, result);
            store(kept + at, reset);
            store(kept + size + at, update);
            store(kept + place, new);
            store(kept + 3 * size + at, of_state);
        }
        inputs += inputs_stride, products += 3 * size, state += size;
        next += size, outputs += outputs_stride, kept += 4 * size;
    }
}

/* The same step backwards. The gradient of the step's result is grad + product + carry: what came from above (rows
 * `grad_stride` apart), what came from the later step through U, and through its update gate. `carry` [rows, size]
 * becomes what goes on to the earlier step so. Gradients of i go to `of_inputs` (rows `of_inputs_stride` apart), of h to
 * `of_products` [rows, 3 size], and their sums over the rows are added to `bias` [4 size]: reset, update, i_n, h_n. */
void gru_backward(int64_t rows, int64_t size, const bf16 *grad, int64_t grad_stride, const bf16 *product, float *carry,
                  const bf16 *kept, const bf16 *state, bf16 *of_inputs, int64_t of_inputs_stride, bf16 *of_products,
                  float *bias) {
    const __m512 one = _mm512_set1_ps(1.0f);
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t at = 0; at < size; at += WIDTH) {
            const __m512 reset = load(kept + at), update = load(kept + size + at);
            const __m512 new = load(kept + 2 * size + at), of_state = load(kept + 3 * size + at);
            const __m512 later = _mm512_add_ps(load(product + at), _mm512_loadu_ps(carry + at));
            const __m512 total = _mm512_add_ps(load(grad + at), later);
            const __m512 kept_back = _mm512_sub_ps(one, update);
            const __m512 of_new = _mm512_mul_ps(_mm512_mul_ps(total, kept_back), _mm512_fnmadd_ps(new, new, one));
            const __m512 of_update = _mm512_mul_ps(_mm512_mul_ps(total, _mm512_sub_ps(load(state + at), new)),
                                                   _mm512_mul_ps(update, kept_back));
            const __m512 of_reset = _mm512_mul_ps(_mm512_mul_ps(of_new, of_state),
                                                  _mm512_mul_ps(reset, _mm512_sub_ps(one, reset)));
            const __m512 of_new_state = _mm512_mul_ps(of_new, reset);
            _mm512_storeu_ps(carry + at, _mm512_mul_ps(total, update));
            store(of_inputs + at, of_reset);
            store(of_inputs + size + at, of_update);
            store(of_inputs + 2 * size + at, of_new);
            store(of_products + at, of_reset);
            store(of_products + size + at, of_update);
            store(of_products + 2 * size + at, of_new_state);
            add_to(bias + at, of_reset);
            add_to(bias + size + at, of_update);
            add_to(bias + 2 * size + at, of_new);
            add_to(bias + 3 * size + at, of_new_state);
        }
        grad += grad_stride, product += size, carry += size, kept += 4 * size, state += size;
        of_inputs += of_inputs_stride, of_products += 3 * size;
    }
}

/* Rows of logits [rows, vocab] become softmax - (1 - smoothing) on the label. Added up: to sums[0] the negative
 * log-likelihoods, to sums[1] the logarithms of the softmax's sums, to `bias` [vocab] the rows. `row` [vocab] is scratch. */
void cross_entropy(int64_t rows, int64_t vocab, bf16 *logits, const int64_t *labels, float smoothing, float *row,
                   float *bias, double *sums) {
    for (int64_t number = 0; number < rows; number++, logits += vocab) {
        const int64_t label = labels[number];
        __m512 top = _mm512_set1_ps(-INFINITY), total = _mm512_setzero_ps();
        for (int64_t at = 0; at < vocab; at += WIDTH) top = _mm512_max_ps(top, load(logits + at));
        const float highest = _mm512_reduce_max_ps(top);
        const float chosen = load_one(logits + label);
        for (int64_t at = 0; at < vocab; at += WIDTH) {
            const __m512 part = exponential(_mm512_sub_ps(load(logits + at), _mm512_set1_ps(highest)));
            _mm512_storeu_ps(row + at, part);
            total = _mm512_add_ps(total, part);
        }
        const float sum = _mm512_reduce_add_ps(total);
        const double log_sum = log(sum) + highest;
        sums[0] += log_sum - chosen;
        sums[1] += log_sum;
        row[label] -= (1.0f - smoothing) * sum;
        for (int64_t at = 0; at < vocab; at += WIDTH) {
            const __m512 part = _mm512_mul_ps(_mm512_loadu_ps(row + at), _mm512_set1_ps(1.0f / sum));
            add_to(bias + at, part);
            store(logits + at, part);
        }
    }
}

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
