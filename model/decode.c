/* Greedy decoding in 8-bit integers for x86 CPUs with AVX-512 VNNI: the loop of model/greedy.py over the network of
 * model/int8.py, for the layout that ships (GRU, bidirectional encoder, layer norm, attention), in one call.
 *
 * The same arithmetic in PyTorch takes some forty kernels a step, most of them too small to be worth their call; here a
 * step is seven products, and what stands between them happens while the row is in the first-level cache. The
 * call knows nothing of Python, so several threads may decode several batches at once.
 *
 * Numbers. Weights are int8 with one scale an output; activations are uint8 around 128 with one scale a row, or 1/127
 * for hidden states, which lie in [-1, 1]. Sums are exact 32-bit integers. No row sees another one, so a sentence comes
 * out the same whatever stands beside it.
 *
 * Layout of a weight: panels of 32 outputs; in a panel, for each 4 inputs, 32 outputs x 4 inputs (one step of vpdpbusd
 * for two registers). Outputs are padded to whole panels.
 */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PANEL 32
#define ROWS 12 /* of one block of a product: 24 of 32 registers hold sums */
#define MAX_LAYERS 8
#define ALIGNMENT 64
#define UNLIMITED INT32_MAX

enum { DONE = 0, NO_MEMORY = 1, NOT_FINITE = 2 };
enum { PAD = 0, BOS = 2, END = 3 };

typedef struct {
    int32_t outputs, inputs; /* outputs: whole panels */
    const int8_t *weight;
    const float *scale, *bias; /* [outputs] */
    const int32_t *start;      /* [outputs]: -128 x the sum of the output's weights */
} Linear;

typedef struct {
    int32_t encoder_layers, decoder_layers, encoder_hidden, decoder_hidden, heads, embedding;
    float epsilon;
    const float *source_table, *target_table;        /* [vocab, 2 x 3 x hidden], [vocab, 3 x hidden] */
    Linear encoder_inputs[MAX_LAYERS];               /* from layer 2: both directions */
    Linear encoder_states[MAX_LAYERS][2];            /* forwards, backwards */
    Linear keys_values, bridge, query, context;
    Linear decoder_inputs[MAX_LAYERS], decoder_states[MAX_LAYERS];
    Linear readout, output;
    int32_t encoder_residual[MAX_LAYERS], decoder_residual[MAX_LAYERS];
} Network;

typedef struct {
    int32_t batch, longest, steps, prefix_steps;
    const int32_t *source, *lengths; /* [batch, longest], [batch]; the longest first, end mark included */
    const int32_t *limits;           /* [batch]: most steps, the end mark's included */
    const int32_t *runs;             /* [batch]: how often a token may follow itself; UNLIMITED */
    const int32_t *prefix;           /* [batch, prefix_steps], PAD where nothing is forced */
    const float *forbidden;          /* [batch or 1, outputs]: minus infinity, or 0 */
    int32_t forbidden_stride;        /* 0 if all sentences share one row */
    int32_t *tokens, *counts;        /* results: [batch, steps], [batch] with the end mark */
    float *log_probs, *attention;    /* [batch, steps], [batch, steps, longest] */
} Job;

int32_t can_run(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni");
}

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

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

/* 16 numbers, each times `factor`, as bytes around 128. */
static inline void store_bytes(uint8_t *to, __m512 x, __m512 factor) {
    const __m512i rounded = _mm512_cvtps_epi32(_mm512_fmadd_ps(x, factor, _mm512_set1_ps(128.0f)));
    _mm_storeu_si128((__m128i *)to, _mm512_cvtusepi32_epi8(_mm512_max_epi32(rounded, _mm512_setzero_si512())));
}

/* To each of 16 sums, 4 products of bytes and weights. By hand: from the intrinsic, GCC 12 makes a copy of every sum at
 * every step and runs out of registers; measured, the product takes twice as long. */
static inline __attribute__((always_inline)) void add_products(__m512i *sums, __m512i bytes, __m512i weights) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sums) : "v"(bytes), "v"(weights));
}

/* `rows` (a constant where this is inlined) rows of bytes times one panel, for all inputs. */
static inline __attribute__((always_inline)) void block(const Linear *linear, const uint8_t *x, const float *row_scale,
                                                        int32_t panel, float *y, const int rows) {
    const int8_t *weight = linear->weight + (size_t)panel * PANEL * linear->inputs;
    __m512i sums[ROWS][2];
#pragma GCC unroll 12
    for (int row = 0; row < rows; row++)
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++)
            sums[row][half] = _mm512_loadu_si512(linear->start + panel * PANEL + 16 * half);
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
        const int32_t at = panel * PANEL + 16 * half;
        const __m512 scale = _mm512_loadu_ps(linear->scale + at), bias = _mm512_loadu_ps(linear->bias + at);
#pragma GCC unroll 12
        for (int row = 0; row < rows; row++) {
            const __m512 scaled = _mm512_mul_ps(scale, _mm512_set1_ps(row_scale[row]));
            const __m512 sum = _mm512_cvtepi32_ps(sums[row][half]);
            _mm512_storeu_ps(y + (size_t)row * linear->outputs + at, _mm512_fmadd_ps(sum, scaled, bias));
        }
    }
}

/* Rows of bytes [rows, inputs] with their scales -> [rows, outputs]. A panel stays in the cache for all rows. */
static void multiply(const Linear *linear, const uint8_t *x, const float *row_scale, int32_t rows, float *y) {
    for (int32_t panel = 0; panel < linear->outputs / PANEL; panel++) {
        int32_t row = 0;
        for (; row < rows; row += ROWS) {
            const uint8_t *from = x + (size_t)row * linear->inputs;
            float *to = y + (size_t)row * linear->outputs;
            switch (rows - row) {
#define CASE(number) case number: block(linear, from, row_scale + row, panel, to, number); break;
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11)
#undef CASE
                default: block(linear, from, row_scale + row, panel, to, ROWS);
            }
        }
    }
}

/* A hidden state as bytes; its scale is 1/127. */
static void state_bytes(const float *state, int32_t size, uint8_t *bytes, float *row_scale) {
    for (int32_t at = 0; at < size; at += 16) store_bytes(bytes + at, _mm512_loadu_ps(state + at), _mm512_set1_ps(127.0f));
    *row_scale = 1.0f / 127;
}

/* A row as bytes with a scale of its own. Rewrites the row normalised (mean 0, variance 1) first if `epsilon` >= 0. */
static void row_bytes(float *row, int32_t size, float epsilon, uint8_t *bytes, float *row_scale) {
    __m512 shift = _mm512_setzero_ps(), factor = _mm512_set1_ps(1.0f);
    if (epsilon >= 0) {
        __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
        for (int32_t at = 0; at < size; at += 16) sum = _mm512_add_ps(sum, _mm512_loadu_ps(row + at));
        shift = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / size);
        for (int32_t at = 0; at < size; at += 16) {
            const __m512 centred = _mm512_sub_ps(_mm512_loadu_ps(row + at), shift);
            squares = _mm512_fmadd_ps(centred, centred, squares);
        }
        factor = _mm512_set1_ps(1.0f / sqrtf(_mm512_reduce_add_ps(squares) / size + epsilon));
    }
    __m512 largest = _mm512_set1_ps(1e-8f);
    for (int32_t at = 0; at < size; at += 16) {
        const __m512 x = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(row + at), shift), factor);
        _mm512_storeu_ps(row + at, x);
        largest = _mm512_max_ps(largest, _mm512_abs_ps(x));
    }
    const float top = _mm512_reduce_max_ps(largest);
    for (int32_t at = 0; at < size; at += 16)
        store_bytes(bytes + at, _mm512_loadu_ps(row + at), _mm512_set1_ps(127.0f / top));
    *row_scale = top / 127;
}

/* One step of a GRU for one row, by the equations in the documentation of torch.nn.GRU; `state` is replaced. */
static void gru(const float *input, const float *hidden, float *state, int32_t size) {
    for (int32_t at = 0; at < size; at += 16) {
#define GATE(from, number) _mm512_loadu_ps((from) + (number) * size + at)
        const __m512 reset = sigmoid(_mm512_add_ps(GATE(input, 0), GATE(hidden, 0)));
        const __m512 update = sigmoid(_mm512_add_ps(GATE(input, 1), GATE(hidden, 1)));
        const __m512 new = hyperbolic_tangent(_mm512_fmadd_ps(reset, GATE(hidden, 2), GATE(input, 2)));
#undef GATE
        const __m512 old = _mm512_loadu_ps(state + at);
        _mm512_storeu_ps(state + at, _mm512_fmadd_ps(update, _mm512_sub_ps(old, new), new));
    }
}

static void add(float *to, const float *from, int32_t size) {
    for (int32_t at = 0; at < size; at += 16)
        _mm512_storeu_ps(to + at, _mm512_add_ps(_mm512_loadu_ps(to + at), _mm512_loadu_ps(from + at)));
}

/* Scratch memory of one call. */
typedef struct {
    uint8_t *bytes;   /* rows as bytes */
    float *row_scale; /* and their scales */
    float *gates;     /* what hidden states give */
    float *wide;      /* products of many rows */
} Scratch;

/* One direction of an encoder layer over all sentences.
 * gates: of token k at gates + k x stride, or, for layer 1, of id i at gates + i x stride.
 * Writes the hidden states to outputs [tokens, memory] and the last ones to lasts [batch, memory], at `offset`. */
static void run_direction(const Job *job, const Linear *of_state, const float *gates, size_t stride, int by_id,
                          int backwards, const int32_t *first_token, int32_t size, float *outputs, float *lasts,
                          const Scratch *scratch) {
    const int32_t memory = 2 * size, offset = backwards * size;
    for (int32_t row = 0; row < job->batch; row++) memset(lasts + (size_t)row * memory + offset, 0, size * sizeof(float));
    int32_t active = job->batch;
    for (int32_t time = 0; time < job->longest; time++) {
        while (active && job->lengths[active - 1] <= time) active--;
        for (int32_t row = 0; row < active; row++)
            state_bytes(lasts + (size_t)row * memory + offset, size, scratch->bytes + (size_t)row * size,
                        scratch->row_scale + row);
        multiply(of_state, scratch->bytes, scratch->row_scale, active, scratch->gates);
        for (int32_t row = 0; row < active; row++) {
            const int32_t place = backwards ? job->lengths[row] - 1 - time : time, token = first_token[row] + place;
            const size_t at = by_id ? (size_t)job->source[(size_t)row * job->longest + place] : (size_t)token;
            float *state = lasts + (size_t)row * memory + offset;
            gru(gates + at * stride + (size_t)backwards * 3 * size, scratch->gates + (size_t)row * of_state->outputs, state, size);
            memcpy(outputs + (size_t)token * memory + offset, state, size * sizeof(float));
        }
    }
}

/* Rows [rows, inputs] through `linear` in 8 bits, normalised first if `epsilon` >= 0; the rows are overwritten. */
static void project(const Linear *linear, float *rows, int32_t count, float epsilon, float *to, const Scratch *scratch) {
    for (int32_t row = 0; row < count; row++)
        row_bytes(rows + (size_t)row * linear->inputs, linear->inputs, epsilon,
                  scratch->bytes + (size_t)row * linear->inputs, scratch->row_scale + row);
    multiply(linear, scratch->bytes, scratch->row_scale, count, to);
}

/* Sources -> keys and values [tokens, 2 x decoder hidden] in `keys_values`, first states of each layer in `states`. */
static void encode(const Network *network, const Job *job, const int32_t *first_token, int32_t tokens, float *hidden,
                   float *outputs, float *lasts, float *keys_values, float *states, const Scratch *scratch) {
    const int32_t size = network->encoder_hidden, memory = 2 * size;
    const size_t cells = (size_t)tokens * memory;
    for (int32_t layer = 0; layer < network->encoder_layers; layer++) {
        const float *gates = network->source_table;
        size_t stride = 6 * (size_t)size;
        if (layer) {
            const Linear *inputs = &network->encoder_inputs[layer];
            memcpy(hidden, outputs, cells * sizeof(float));
            project(inputs, hidden, tokens, network->epsilon, scratch->wide, scratch);
            gates = scratch->wide;
            stride = inputs->outputs;
            memcpy(hidden, outputs, cells * sizeof(float));
        }
        for (int backwards = 0; backwards < 2; backwards++)
            run_direction(job, &network->encoder_states[layer][backwards], gates, stride, layer == 0, backwards,
                          first_token, size, outputs, lasts, scratch);
        if (network->encoder_residual[layer])
            for (int32_t token = 0; token < tokens; token++)
                add(outputs + (size_t)token * memory, hidden + (size_t)token * memory, memory);
    }
    project(&network->keys_values, outputs, tokens, network->epsilon, keys_values, scratch);
    project(&network->bridge, lasts, job->batch, -1.0f, scratch->wide, scratch);
    const int32_t all = network->decoder_layers * network->decoder_hidden;
    for (int32_t row = 0; row < job->batch; row++)
        for (int32_t at = 0; at < all; at += 16)
            _mm512_storeu_ps(states + (size_t)row * all + at,
                             hyperbolic_tangent(_mm512_loadu_ps(scratch->wide + (size_t)row * network->bridge.outputs + at)));
}

/* Reads `length` tokens' keys and values by one query; the context replaces it. `mean` [length]: weights, over heads. */
static void attend(const Network *network, float *query, const float *keys_values, int32_t length, float *weights, float *mean) {
    const int32_t size = network->decoder_hidden, head_size = size / network->heads;
    const size_t stride = network->keys_values.outputs;
    memset(mean, 0, length * sizeof(float));
    for (int32_t head = 0; head < network->heads; head++) {
        float *part = query + head * head_size, top = -INFINITY, total = 0;
        for (int32_t token = 0; token < length; token++) {
            const float *key = keys_values + token * stride + head * head_size;
            __m512 sum = _mm512_setzero_ps();
            for (int32_t at = 0; at < head_size; at += 16)
                sum = _mm512_fmadd_ps(_mm512_loadu_ps(part + at), _mm512_loadu_ps(key + at), sum);
            weights[token] = _mm512_reduce_add_ps(sum);
            top = fmaxf(top, weights[token]);
        }
        for (int32_t token = 0; token < length; token++) total += weights[token] = expf(weights[token] - top);
        for (int32_t token = 0; token < length; token++) {
            weights[token] /= total;
            mean[token] += weights[token] / network->heads;
        }
        for (int32_t at = 0; at < head_size; at += 16) {
            const float *value = keys_values + size + head * head_size + at;
            __m512 sum = _mm512_setzero_ps();
            for (int32_t token = 0; token < length; token++)
                sum = _mm512_fmadd_ps(_mm512_set1_ps(weights[token]), _mm512_loadu_ps(value + token * stride), sum);
            _mm512_storeu_ps(part + at, sum);
        }
    }
}

/* The logarithm of the sum of e to the `logits`. */
static float log_sum(const float *logits, int32_t size) {
    __m512 tops = _mm512_set1_ps(-INFINITY), sums = _mm512_setzero_ps();
    for (int32_t at = 0; at < size; at += 16) tops = _mm512_max_ps(tops, _mm512_loadu_ps(logits + at));
    const float top = _mm512_reduce_max_ps(tops);
    for (int32_t at = 0; at < size; at += 16)
        sums = _mm512_add_ps(sums, exponential(_mm512_sub_ps(_mm512_loadu_ps(logits + at), _mm512_set1_ps(top))));
    return top + logf(_mm512_reduce_add_ps(sums));
}

/* The place of the highest of `logits` + `forbidden`; the first one of several. */
static int32_t best_of(const float *logits, const float *forbidden, int32_t size) {
    __m512 best = _mm512_set1_ps(-INFINITY);
    __m512i places = _mm512_setzero_si512();
    __m512i place = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (int32_t at = 0; at < size; at += 16, place = _mm512_add_epi32(place, _mm512_set1_epi32(16))) {
        const __m512 value = _mm512_add_ps(_mm512_loadu_ps(logits + at), _mm512_loadu_ps(forbidden + at));
        const __mmask16 higher = _mm512_cmp_ps_mask(value, best, _CMP_GT_OQ);
        best = _mm512_mask_mov_ps(best, higher, value);
        places = _mm512_mask_mov_epi32(places, higher, place);
    }
    const __mmask16 top = _mm512_cmpeq_ps_mask(best, _mm512_set1_ps(_mm512_reduce_max_ps(best)));
    return _mm512_mask_reduce_min_epi32(top, places);
}

/* Chooses the next token of a sentence and writes it down; returns whether the sentence is done, or -1 on no number. */
static int choose(const Job *job, int32_t sentence, int32_t time, float *logits, int32_t size, int32_t *last, int32_t *run) {
    const float total = log_sum(logits, size);
    const int32_t forced = time < job->prefix_steps ? job->prefix[(size_t)sentence * job->prefix_steps + time] : PAD;
    int32_t token = forced;
    float value = logits[forced];
    if (forced == PAD) {
        if (time == 0) logits[END] = -INFINITY;
        if (time && run[sentence] >= job->runs[sentence]) logits[last[sentence]] = -INFINITY;
        token = best_of(logits, job->forbidden + (size_t)sentence * job->forbidden_stride, size);
        value = logits[token];
    }
    run[sentence] = time && token == last[sentence] ? run[sentence] + 1 : 1;
    last[sentence] = token;
    const size_t at = (size_t)sentence * job->steps + time;
    job->tokens[at] = token;
    job->log_probs[at] = value - total;
    job->counts[sentence] = time + 1;
    if (!isfinite(job->log_probs[at])) return -1;
    return token == END || time + 1 >= job->limits[sentence];
}

/* One step of the decoder for the sentences `active` [rows]: their logits in `logits` [rows, outputs]. */
static void step(const Network *network, const Job *job, const int32_t *active, int32_t rows, int32_t time,
                 const int32_t *first_token, const int32_t *last, float *keys_values, float *states, float *stream,
                 float *query, float *logits, const Scratch *scratch) {
    const int32_t size = network->decoder_hidden, all = network->decoder_layers * size;
    for (int32_t layer = 0; layer < network->decoder_layers; layer++) {
        const float *gates = network->target_table;
        size_t stride = 3 * (size_t)size;
        if (layer) {
            const Linear *inputs = &network->decoder_inputs[layer];
            memcpy(query, stream, (size_t)rows * size * sizeof(float));
            project(inputs, query, rows, network->epsilon, scratch->wide, scratch);
            gates = scratch->wide;
            stride = inputs->outputs;
        }
        for (int32_t row = 0; row < rows; row++)
            state_bytes(states + (size_t)active[row] * all + layer * size, size, scratch->bytes + (size_t)row * size,
                        scratch->row_scale + row);
        multiply(&network->decoder_states[layer], scratch->bytes, scratch->row_scale, rows, scratch->gates);
        for (int32_t row = 0; row < rows; row++) {
            const int32_t sentence = active[row];
            float *state = states + (size_t)sentence * all + layer * size, *out = stream + (size_t)row * size;
            gru(gates + (layer ? (size_t)row : (size_t)last[sentence]) * stride,
                scratch->gates + (size_t)row * network->decoder_states[layer].outputs, state, size);
            if (network->decoder_residual[layer]) add(out, state, size);
            else memcpy(out, state, size * sizeof(float));
        }
        if (layer) continue;
        memcpy(query, stream, (size_t)rows * size * sizeof(float));
        project(&network->query, query, rows, network->epsilon, scratch->wide, scratch);
        for (int32_t row = 0; row < rows; row++) {
            const int32_t sentence = active[row];
            float *one = query + (size_t)row * size;
            memcpy(one, scratch->wide + (size_t)row * network->query.outputs, size * sizeof(float));
            attend(network, one, keys_values + (size_t)first_token[sentence] * network->keys_values.outputs,
                   job->lengths[sentence], scratch->gates,
                   job->attention + ((size_t)sentence * job->steps + time) * job->longest);
        }
        project(&network->context, query, rows, -1.0f, scratch->wide, scratch);
        for (int32_t row = 0; row < rows; row++)
            add(stream + (size_t)row * size, scratch->wide + (size_t)row * network->context.outputs, size);
    }
    project(&network->readout, stream, rows, network->epsilon, scratch->wide, scratch);
    for (int32_t row = 0; row < rows; row++)
        memcpy(query + (size_t)row * network->embedding, scratch->wide + (size_t)row * network->readout.outputs,
               network->embedding * sizeof(float));
    project(&network->output, query, rows, -1.0f, logits, scratch);
}

static int search(const Network *network, const Job *job, const int32_t *first_token, float *keys_values, float *states,
                  float *stream, float *query, float *logits, int32_t *integers, const Scratch *scratch) {
    int32_t *active = integers, *last = active + job->batch, *run = last + job->batch, rows = job->batch;
    for (int32_t sentence = 0; sentence < job->batch; sentence++) {
        active[sentence] = sentence;
        last[sentence] = BOS;
        run[sentence] = 0;
    }
    for (int32_t time = 0; rows && time < job->steps; time++) {
        step(network, job, active, rows, time, first_token, last, keys_values, states, stream, query, logits, scratch);
        int32_t left = 0;
        for (int32_t row = 0; row < rows; row++) {
            const int done = choose(job, active[row], time, logits + (size_t)row * network->output.outputs,
                                    network->output.outputs, last, run);
            if (done < 0) return NOT_FINITE;
            if (!done) active[left++] = active[row];
        }
        rows = left;
    }
    return DONE;
}
#pragma GCC pop_options

static size_t largest(size_t a, size_t b) { return a > b ? a : b; }

/* Decode all sentences of `job` into its results. 0, or what went wrong. */
int32_t decode(const Network *network, const Job *job) {
    const size_t batch = job->batch, size = network->decoder_hidden, memory = 2 * (size_t)network->encoder_hidden;
    size_t tokens = 0, widest = largest(network->keys_values.outputs, network->bridge.outputs);
    for (int32_t row = 0; row < job->batch; row++) tokens += job->lengths[row];
    for (int32_t layer = 1; layer < network->encoder_layers; layer++) widest = largest(widest, network->encoder_inputs[layer].outputs);
    for (int32_t layer = 1; layer < network->decoder_layers; layer++) widest = largest(widest, network->decoder_inputs[layer].outputs);
    widest = largest(widest, largest(network->readout.outputs, largest(network->query.outputs, network->context.outputs)));
    const size_t rows = largest(tokens, batch), gates = 3 * largest(size, memory) + job->longest;
    const size_t floats[] = {rows * largest(size, memory) / 4 + 16, rows, batch * gates, rows * widest, /* scratch */
                             tokens * memory, tokens * memory, batch * memory,                         /* encoder */
                             tokens * network->keys_values.outputs, batch * network->decoder_layers * size,
                             batch * size, batch * size, batch * network->output.outputs, 4 * batch};  /* decoder */
    enum { PARTS = sizeof floats / sizeof floats[0] };
    float *part[PARTS];
    size_t total = 0;
    for (int number = 0; number < PARTS; number++) total += (floats[number] + 15) / 16 * 16;
    float *all = aligned_alloc(ALIGNMENT, total * sizeof(float));
    if (!all) return NO_MEMORY;
    for (size_t number = 0, at = 0; number < PARTS; at += (floats[number] + 15) / 16 * 16, number++) part[number] = all + at;
    int32_t *integers = (int32_t *)part[12];
    for (int32_t row = 0, at = 0; row < job->batch; at += job->lengths[row], row++) integers[row] = at;
    const Scratch scratch = {(uint8_t *)part[0], part[1], part[2], part[3]};
    encode(network, job, integers, (int32_t)tokens, part[4], part[5], part[6], part[7], part[8], &scratch);
    const int result = search(network, job, integers, part[7], part[8], part[9], part[10], part[11], integers + batch, &scratch);
    free(all);
    return result;
}
