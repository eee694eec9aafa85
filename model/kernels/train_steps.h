/* What training does to every number between two products: one step of a GRU forwards and backwards, and the gradient of
 * the cross-entropy over the vocabulary.
 *
 * PyTorch takes some twenty kernels a time step for it, each of which reads and writes the whole batch; here each number
 * is read once. Included by train_bf16.c and train_fp32.c, which say what a `number` in memory is, how `lanes` of them are
 * read and written (`load`, `store`, `load_one`), and what the functions are called (`NAMED`). Inside, all is fp32; the
 * caller's sizes are multiples of LANES. */
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline void add_to(float *to, lanes x) { store_floats(to, load_floats(to) + x); }

/* One time step of a GRU as PyTorch defines it:
 *
 *     reset = s(i_r + h_r)   update = s(i_z + h_z)   new = tanh(i_n + reset h_n)   next = new + update (state - new)
 *
 * with i = W x (rows `inputs_stride` apart) and h = U state [rows, 3 size], to which the biases [3 size] are added here.
 * The next state goes to `next` [rows, size] and to `outputs` (rows `outputs_stride` apart); `kept` [rows, 4 size] is
 * reset, update, new and h_n for the way back. */
void NAMED(gru_forward)(int64_t rows, int64_t size, const number *inputs, int64_t inputs_stride, const number *products,
                        const float *input_bias, const float *state_bias, const number *state, number *next,
                        number *outputs, int64_t outputs_stride, number *kept) {
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t at = 0; at < size; at += LANES) {
            lanes sums[2];
            for (int gate = 0; gate < 2; gate++) {
                const int64_t place = gate * size + at;
                const lanes bias = load_floats(input_bias + place) + load_floats(state_bias + place);
                sums[gate] = load(inputs + place) + load(products + place) + bias;
            }
            const int64_t place = 2 * size + at;
            const lanes reset = sigmoid(sums[0]), update = sigmoid(sums[1]);
            const lanes of_state = load(products + place) + load_floats(state_bias + place);
            const lanes of_input = load(inputs + place) + load_floats(input_bias + place);
            const lanes new = hyperbolic_tangent(reset * of_state + of_input);
            const lanes result = update * (load(state + at) - new) + new;
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
void NAMED(gru_backward)(int64_t rows, int64_t size, const number *grad, int64_t grad_stride, const number *product,
                         float *carry, const number *kept, const number *state, number *of_inputs,
                         int64_t of_inputs_stride, number *of_products, float *bias) {
    const lanes one = broadcast(1.0f);
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t at = 0; at < size; at += LANES) {
            const lanes reset = load(kept + at), update = load(kept + size + at);
            const lanes new = load(kept + 2 * size + at), of_state = load(kept + 3 * size + at);
            const lanes total = load(grad + at) + (load(product + at) + load_floats(carry + at));
            const lanes of_new = total * (one - update) * (one - new * new);
            const lanes of_update = total * (load(state + at) - new) * (update * (one - update));
            const lanes of_reset = of_new * of_state * (reset * (one - reset));
            const lanes of_new_state = of_new * reset;
            store_floats(carry + at, total * update);
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
void NAMED(cross_entropy)(int64_t rows, int64_t vocab, number *logits, const int64_t *labels, float smoothing, float *row,
                          float *bias, double *sums) {
    for (int64_t count = 0; count < rows; count++, logits += vocab) {
        const int64_t label = labels[count];
        lanes top = broadcast(-INFINITY), total = broadcast(0.0f);
        for (int64_t at = 0; at < vocab; at += LANES) top = maximum(top, load(logits + at));
        const float highest = largest(top);
        const float chosen = load_one(logits + label);
        for (int64_t at = 0; at < vocab; at += LANES) {
            const lanes part = exponential(load(logits + at) - broadcast(highest));
            store_floats(row + at, part);
            total = total + part;
        }
        const float sum = sum_of(total);
        const double log_sum = log(sum) + highest;
        sums[0] += log_sum - chosen;
        sums[1] += log_sum;
        row[label] -= (1.0f - smoothing) * sum;
        for (int64_t at = 0; at < vocab; at += LANES) {
            const lanes part = load_floats(row + at) * broadcast(1.0f / sum);
            add_to(bias + at, part);
            store(logits + at, part);
        }
    }
}
