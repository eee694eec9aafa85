/* Greedy decoding in 8-bit integers for x86 CPUs with AVX-512 VNNI: the loop of model/search/greedy.py over the network of
 * model/kernels/int8.py, for the layout that ships (GRU, bidirectional encoder, layer norm, attention), in one call.
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
 * for two registers). Outputs are padded to whole panels; only the vocabulary needs it, for all other sizes are whole.
 */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifndef __has_feature /* clang's way of asking */
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
/* `make check-native`: what is one block of memory to the system is many to us */
#include <sanitizer/asan_interface.h>
#define GAP ALIGNMENT /* bytes between two of them, which nobody may touch */
#else
#define GAP 0
#define ASAN_POISON_MEMORY_REGION(start, size) ((void)0)
#endif

#define PANEL 32
#define ROWS 12 /* of one block of a product: 24 of 32 registers hold sums */
#define MAX_LAYERS 8
#define ALIGNMENT 64
#define NOT_NORMALISED -1.0f

enum { DONE = 0, NO_MEMORY = 1, NOT_FINITE = 2, UNFIT = 3 };
enum { PAD = 0, BOS = 2, END = 3 };

typedef struct {
    int32_t outputs, inputs; /* outputs: whole panels */
    const int8_t *weight;
    const float *scale, *bias; /* [outputs] */
    const int32_t *start;      /* [outputs]: -128 x the sum of the output's weights */
} Linear;

typedef struct {
    int32_t encoder_layers, decoder_layers, encoder_hidden, decoder_hidden, heads;
    int32_t source_vocab, target_vocab; /* rows of the tables */
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
    const int32_t *runs;             /* [batch]: how often a token may stand in a row */
    const int32_t *prefix;           /* [batch, prefix_steps], PAD where nothing is forced */
    const float *forbidden;          /* [batch or 1, outputs]: minus infinity, or 0 */
    int32_t forbidden_stride;        /* 0 if all sentences share one row */
    int32_t *tokens, *counts;        /* results: [batch, steps], [batch] with the end mark */
    float *log_probs, *attention;    /* [batch, steps], [batch, steps, longest] */
} Job;

/* What the caller believes of this file, to be compared with its own. */
int32_t size_of_network(void) { return sizeof(Network); }
int32_t size_of_job(void) { return sizeof(Job); }

int32_t can_decode(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif
#define LANES 16
#include "activations.h"

/* 16 numbers, each times `factor`, as bytes around 128. */
static inline void store_bytes(uint8_t *to, __m512 x, __m512 factor) {
    const __m512i rounded = _mm512_cvtps_epi32(_mm512_fmadd_ps(x, factor, _mm512_set1_ps(128.0f)));
    const __m128i bytes = _mm512_cvtusepi32_epi8(_mm512_max_epi32(rounded, _mm512_setzero_si512()));
    memcpy(to, &bytes, sizeof bytes);
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
    for (int32_t at = 0; at < size; at += 16)
        store_bytes(bytes + at, _mm512_loadu_ps(state + at), _mm512_set1_ps(127.0f));
    *row_scale = 1.0f / 127;
}

/* A row as bytes with a scale of its own; normalised first (mean 0, variance 1) if `epsilon` >= 0. */
static void row_bytes(const float *row, int32_t size, float epsilon, uint8_t *bytes, float *row_scale) {
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
    /* compared as integers: there what is no number stays highest */
    __m512i largest = _mm512_castps_si512(_mm512_set1_ps(1e-8f));
#define NORMALISED _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(row + at), shift), factor)
    for (int32_t at = 0; at < size; at += 16)
        largest = _mm512_max_epi32(largest, _mm512_castps_si512(_mm512_abs_ps(NORMALISED)));
    const int32_t bits = _mm512_reduce_max_epi32(largest);
    float top;
    memcpy(&top, &bits, sizeof top);
    for (int32_t at = 0; at < size; at += 16) store_bytes(bytes + at, NORMALISED, _mm512_set1_ps(127.0f / top));
#undef NORMALISED
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

/* What one call works with. */
typedef struct {
    const Network *network;
    const Job *job;
    int32_t tokens;                     /* of all sources */
    int32_t *first_token;               /* [batch]: where a sentence's tokens begin among all */
    int32_t *active, *last, *run;       /* [batch]: sentences not done; last token of each, and how often it stood */
    uint8_t *bytes;                     /* rows as bytes */
    float *row_scale;                   /* and their scales */
    float *gates, *wide;                /* what hidden states give; products of many rows */
    float *hidden, *outputs, *lasts;    /* encoder: [tokens, memory], [tokens, memory], [batch, memory] */
    float *keys_values;                 /* [tokens, keys and values] */
    float *states;                      /* [batch, decoder layers, hidden] */
    float *stream, *query, *logits;     /* of the active rows: [rows, hidden], [rows, hidden], [rows, outputs] */
} Work;

/* Rows [rows, inputs] through `linear` in 8 bits, normalised first if `epsilon` >= 0; `to` may be the rows. */
static void project(const Work *work, const Linear *linear, const float *rows, int32_t count, float epsilon,
                    float *to) {
    for (int32_t row = 0; row < count; row++)
        row_bytes(rows + (size_t)row * linear->inputs, linear->inputs, epsilon,
                  work->bytes + (size_t)row * linear->inputs, work->row_scale + row);
    multiply(linear, work->bytes, work->row_scale, count, to);
}

/* One direction of an encoder layer over all sentences. The input's share of the gates of a token lies at gates + its
 * number x stride, or in layer 1, which has a table, its id x stride. Hidden states go to `outputs`, the last ones to
 * `lasts`, each into its half of the memory. */
static void run_direction(const Work *work, int32_t layer, int backwards, const float *gates, size_t stride) {
    const Job *job = work->job;
    const Linear *of_state = &work->network->encoder_states[layer][backwards];
    const int32_t size = work->network->encoder_hidden, memory = 2 * size, offset = backwards * size;
    for (int32_t row = 0; row < job->batch; row++)
        memset(work->lasts + (size_t)row * memory + offset, 0, size * sizeof(float));
    int32_t active = job->batch;
    for (int32_t time = 0; time < job->longest; time++) {
        while (active && job->lengths[active - 1] <= time) active--;
        for (int32_t row = 0; row < active; row++)
            state_bytes(work->lasts + (size_t)row * memory + offset, size, work->bytes + (size_t)row * size,
                        work->row_scale + row);
        multiply(of_state, work->bytes, work->row_scale, active, work->gates);
        for (int32_t row = 0; row < active; row++) {
            const int32_t place = backwards ? job->lengths[row] - 1 - time : time;
            const int32_t token = work->first_token[row] + place;
            const int32_t at = layer ? token : job->source[(size_t)row * job->longest + place];
            float *state = work->lasts + (size_t)row * memory + offset;
            gru(gates + at * stride + (size_t)backwards * 3 * size, work->gates + (size_t)row * of_state->outputs,
                state, size);
            memcpy(work->outputs + (size_t)token * memory + offset, state, size * sizeof(float));
        }
    }
}

/* Sources -> keys and values of each token, and the first states of each decoder layer. */
static void encode(const Work *work) {
    const Network *network = work->network;
    const int32_t size = network->encoder_hidden, all = network->decoder_layers * network->decoder_hidden;
    const size_t cells = (size_t)work->tokens * 2 * size;
    for (int32_t layer = 0; layer < network->encoder_layers; layer++) {
        const Linear *inputs = &network->encoder_inputs[layer];
        if (layer) {
            project(work, inputs, work->outputs, work->tokens, network->epsilon, work->wide);
            memcpy(work->hidden, work->outputs, cells * sizeof(float)); /* for the residual */
        }
        for (int backwards = 0; backwards < 2; backwards++)
            run_direction(work, layer, backwards, layer ? work->wide : network->source_table,
                          layer ? (size_t)inputs->outputs : 6 * (size_t)size);
        if (network->encoder_residual[layer])
            for (size_t at = 0; at < cells; at += 16) add(work->outputs + at, work->hidden + at, 16);
    }
    project(work, &network->keys_values, work->outputs, work->tokens, network->epsilon, work->keys_values);
    project(work, &network->bridge, work->lasts, work->job->batch, NOT_NORMALISED, work->wide);
    for (int32_t row = 0; row < work->job->batch; row++)
        for (int32_t at = 0; at < all; at += 16) {
            const __m512 sum = _mm512_loadu_ps(work->wide + (size_t)row * network->bridge.outputs + at);
            _mm512_storeu_ps(work->states + (size_t)row * all + at, hyperbolic_tangent(sum));
        }
}

/* Reads a sentence's keys and values by one query; the context replaces it. `mean` [source]: weights, over heads. */
static void attend(const Work *work, int32_t sentence, float *query, float *mean) {
    const Network *network = work->network;
    const int32_t size = network->decoder_hidden, head_size = size / network->heads;
    const int32_t length = work->job->lengths[sentence];
    const size_t stride = network->keys_values.outputs;
    const float *keys_values = work->keys_values + (size_t)work->first_token[sentence] * stride;
    float *weights = work->gates;
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
static int choose(const Work *work, int32_t sentence, int32_t time, float *logits) {
    const Job *job = work->job;
    const int32_t size = work->network->output.outputs;
    int32_t *last = work->last + sentence, *run = work->run + sentence;
    const float total = log_sum(logits, size);
    int32_t token = time < job->prefix_steps ? job->prefix[(size_t)sentence * job->prefix_steps + time] : PAD;
    float value = logits[token];
    if (token == PAD) { /* nothing is forced */
        if (time == 0) logits[END] = -INFINITY;
        if (*run >= job->runs[sentence]) logits[*last] = -INFINITY;
        token = best_of(logits, job->forbidden + (size_t)sentence * job->forbidden_stride, size);
        value = logits[token];
        if (job->forbidden[(size_t)sentence * job->forbidden_stride + token] < 0) return -1; /* nothing is allowed */
    }
    *run = token == *last ? *run + 1 : 1;
    *last = token;
    const size_t at = (size_t)sentence * job->steps + time;
    job->tokens[at] = token;
    job->log_probs[at] = value - total;
    job->counts[sentence] = time + 1;
    if (!isfinite(job->log_probs[at])) return -1;
    return token == END || time + 1 >= job->limits[sentence];
}

/* The stream + what it reads of the sources. */
static void add_context(const Work *work, int32_t rows, int32_t time) {
    const Network *network = work->network;
    const Job *job = work->job;
    const int32_t size = network->decoder_hidden;
    project(work, &network->query, work->stream, rows, network->epsilon, work->query);
    for (int32_t row = 0; row < rows; row++) {
        const size_t sentence = work->active[row];
        attend(work, work->active[row], work->query + (size_t)row * size,
               job->attention + (sentence * job->steps + time) * job->longest);
    }
    project(work, &network->context, work->query, rows, NOT_NORMALISED, work->query);
    for (int32_t row = 0; row < rows; row++)
        add(work->stream + (size_t)row * size, work->query + (size_t)row * size, size);
}

/* One decoder layer: the stream of the active rows goes through it. */
static void run_layer(const Work *work, int32_t layer, int32_t rows) {
    const Network *network = work->network;
    const Linear *inputs = &network->decoder_inputs[layer], *of_state = &network->decoder_states[layer];
    const int32_t size = network->decoder_hidden;
    if (layer) project(work, inputs, work->stream, rows, network->epsilon, work->wide);
    float *states = work->states + (size_t)layer * size;
    const size_t all = (size_t)network->decoder_layers * size;
    for (int32_t row = 0; row < rows; row++)
        state_bytes(states + work->active[row] * all, size, work->bytes + (size_t)row * size, work->row_scale + row);
    multiply(of_state, work->bytes, work->row_scale, rows, work->gates);
    for (int32_t row = 0; row < rows; row++) {
        const int32_t sentence = work->active[row];
        float *state = states + sentence * all, *stream = work->stream + (size_t)row * size;
        const float *gates = layer ? work->wide + (size_t)row * inputs->outputs
                                   : network->target_table + (size_t)work->last[sentence] * 3 * size;
        gru(gates, work->gates + (size_t)row * of_state->outputs, state, size);
        if (network->decoder_residual[layer]) add(stream, state, size);
        else memcpy(stream, state, size * sizeof(float));
    }
}

/* One step of the decoder for the first `rows` active sentences: their logits. */
static void step(const Work *work, int32_t rows, int32_t time) {
    const Network *network = work->network;
    for (int32_t layer = 0; layer < network->decoder_layers; layer++) {
        run_layer(work, layer, rows);
        if (layer == 0) add_context(work, rows, time);
    }
    project(work, &network->readout, work->stream, rows, network->epsilon, work->query);
    project(work, &network->output, work->query, rows, NOT_NORMALISED, work->logits);
}

static int search(const Work *work) {
    int32_t rows = work->job->batch;
    for (int32_t sentence = 0; sentence < rows; sentence++) {
        work->active[sentence] = sentence;
        work->last[sentence] = BOS;
        work->run[sentence] = 0;
    }
    for (int32_t time = 0; rows && time < work->job->steps; time++) {
        step(work, rows, time);
        int32_t left = 0;
        for (int32_t row = 0; row < rows; row++) {
            const int32_t sentence = work->active[row];
            const int done = choose(work, sentence, time, work->logits + (size_t)row * work->network->output.outputs);
            if (done < 0) return NOT_FINITE;
            if (!done) work->active[left++] = sentence;
        }
        rows = left;
    }
    return DONE;
}
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Outputs of the widest product that goes through `wide`. */
static size_t widest(const Network *network) {
    size_t found = network->bridge.outputs;
    for (int32_t layer = 1; layer < MAX_LAYERS; layer++) /* those that are not there are 0 wide */
        found = larger(found, larger(network->encoder_inputs[layer].outputs, network->decoder_inputs[layer].outputs));
    return found;
}

/* Memory that is given away piece by piece; without a start it only counts. */
typedef struct {
    char *start;
    size_t used;
} Room;

/* Room for `count` numbers of 4 bytes, from a cache line on. */
static void *take(Room *room, size_t count) {
    const size_t size = 4 * count, whole = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + GAP;
    char *taken = room->start ? room->start + room->used : NULL;
    if (taken) ASAN_POISON_MEMORY_REGION(taken + size, whole - size);
    room->used += whole;
    return taken;
}

/* Points the parts of `work` into memory that begins at `start`, and returns its size; without a start it only counts. */
static size_t lay_out(Work *work, char *start) {
    const Network *network = work->network;
    const size_t batch = work->job->batch, tokens = work->tokens, size = network->decoder_hidden;
    const size_t memory = 2 * (size_t)network->encoder_hidden, rows = larger(tokens, batch), row = larger(size, memory);
    Room room = {start, 0};
    work->first_token = take(&room, batch);
    work->active = take(&room, batch);
    work->last = take(&room, batch);
    work->run = take(&room, batch);
    work->bytes = take(&room, rows * row / 4);
    work->row_scale = take(&room, rows);
    work->gates = take(&room, batch * larger(3 * row + PANEL, work->job->longest));
    work->wide = take(&room, rows * widest(network));
    work->hidden = take(&room, tokens * memory);
    work->outputs = take(&room, tokens * memory);
    work->lasts = take(&room, batch * memory);
    work->keys_values = take(&room, tokens * network->keys_values.outputs);
    work->states = take(&room, batch * network->decoder_layers * size);
    work->stream = take(&room, batch * size);
    work->query = take(&room, batch * size);
    work->logits = take(&room, batch * network->output.outputs);
    return room.used;
}

/* Whether all `count` ids are rows of a table of `vocab`. */
static int are_ids(const int32_t *ids, size_t count, int32_t vocab) {
    for (size_t at = 0; at < count; at++)
        if (ids[at] < 0 || ids[at] >= vocab) return 0;
    return 1;
}

/* Whether the numbers of `job` lead nowhere outside its arrays and the tables of `network`. */
static int fits(const Network *network, const Job *job) {
    const size_t batch = job->batch;
    for (size_t row = 0; row < batch; row++) {
        const int32_t most = row ? job->lengths[row - 1] : job->longest;
        if (job->lengths[row] < 1 || job->lengths[row] > most) return 0;
        if (job->limits[row] < 1 || job->limits[row] > job->steps) return 0;
    }
    return are_ids(job->source, batch * job->longest, network->source_vocab) &&
           are_ids(job->prefix, batch * job->prefix_steps, network->target_vocab);
}

/* Decodes all sentences of `job` into its results. Returns 0, or what went wrong. */
int32_t decode(const Network *network, const Job *job) {
    Work work = {.network = network, .job = job};
    if (!fits(network, job)) return UNFIT;
    for (int32_t row = 0; row < job->batch; row++) work.tokens += job->lengths[row];
    char *all = aligned_alloc(ALIGNMENT, lay_out(&work, NULL));
    if (!all) return NO_MEMORY;
    lay_out(&work, all);
    for (int32_t row = 0, at = 0; row < job->batch; at += job->lengths[row], row++) work.first_token[row] = at;
    encode(&work);
    const int result = search(&work);
    free(all);
    return result;
}
