/* The network in 8 bits (model/kernels/int8.py) for one kind of CPU: included by decode_avx2.c and decode_avx512.c after
 * activations.h and
 *
 *     ROWS            rows that `block` takes at once
 *     store_bytes     LANES numbers, each times a factor, in 8 bits
 *     whole_lanes     LANES whole numbers: magnitude_bits, larger_whole, largest_whole
 *     where_above     a bit for each number that is above another
 *     load_halves     LANES numbers in fp16
 *     block           some rows times one panel
 *
 * No row sees another one, so a sentence comes out the same whatever stands beside it. Sums are exact 32-bit integers. */

#define CHUNK 16 /* panels of the vocabulary whose logits are looked through while they are in the cache */
#define NOT_NORMALISED -1.0f

/* Rows of bytes [rows, inputs] with their scales -> some panels of [rows, outputs]; rows of `y` are `stride` apart. A
 * panel stays in the cache for all rows. Compiled once, not where it is called: it holds a block for each count of rows. */
static __attribute__((noinline)) void multiply_panels(const Linear *linear, int32_t panel, int32_t end, const uint8_t *x,
                                                      const float *row_scale, int32_t rows, float *y, size_t stride) {
    for (; panel < end; panel++, y += PANEL) {
        for (int32_t row = 0; row < rows; row += ROWS) {
            const uint8_t *from = x + (size_t)row * linear->inputs;
            float *to = y + row * stride;
            switch (rows - row) {
#define CASE(number) case number: block(linear, from, row_scale + row, panel, to, stride, number); break;
                CASES
#undef CASE
                default: block(linear, from, row_scale + row, panel, to, stride, ROWS);
            }
        }
    }
}

static void multiply(const Linear *linear, const uint8_t *x, const float *row_scale, int32_t rows, float *y) {
    multiply_panels(linear, 0, linear->outputs / PANEL, x, row_scale, rows, y, linear->outputs);
}

/* A hidden state as bytes; its scale is 1/127. */
static void state_bytes(const float *state, int32_t size, uint8_t *bytes, float *row_scale) {
    for (int32_t at = 0; at < size; at += LANES) store_bytes(bytes + at, load_floats(state + at), broadcast(127.0f));
    *row_scale = 1.0f / 127;
}

/* A row as bytes with a scale of its own; normalised first (mean 0, variance 1) if `epsilon` >= 0. */
static void row_bytes(const float *row, int32_t size, float epsilon, uint8_t *bytes, float *row_scale) {
    lanes shift = broadcast(0.0f), factor = broadcast(1.0f);
    if (epsilon >= 0) {
        lanes sum = broadcast(0.0f), squares = broadcast(0.0f);
        for (int32_t at = 0; at < size; at += LANES) sum = sum + load_floats(row + at);
        shift = broadcast(sum_of(sum) / size);
        for (int32_t at = 0; at < size; at += LANES) {
            const lanes centred = load_floats(row + at) - shift;
            squares = centred * centred + squares;
        }
        factor = broadcast(1.0f / sqrtf(sum_of(squares) / size + epsilon));
    }
    whole_lanes magnitude = magnitude_bits(broadcast(1e-8f)); /* compared as integers: what is no number stays highest */
    for (int32_t at = 0; at < size; at += LANES)
        magnitude = larger_whole(magnitude, magnitude_bits((load_floats(row + at) - shift) * factor));
    const int32_t bits = largest_whole(magnitude);
    float top;
    memcpy(&top, &bits, sizeof top);
    for (int32_t at = 0; at < size; at += LANES)
        store_bytes(bytes + at, (load_floats(row + at) - shift) * factor, broadcast(127.0f / top));
    *row_scale = top / 127;
}

/* One step of a GRU for one row, by the equations in the documentation of torch.nn.GRU; `state` is replaced. The input's
 * share of the gates is in fp32, or in fp16 where it comes from a table. */
#define GRU(name, number, load_input)                                                                              \
    static void name(const number *input, const float *hidden, float *state, int32_t size) {                       \
        for (int32_t at = 0; at < size; at += LANES) {                                                             \
            const lanes reset = sigmoid(load_input(input + at) + load_floats(hidden + at));                        \
            const lanes update = sigmoid(load_input(input + size + at) + load_floats(hidden + size + at));         \
            const lanes of_state = load_floats(hidden + 2 * size + at);                                            \
            const lanes new = hyperbolic_tangent(reset * of_state + load_input(input + 2 * size + at));            \
            store_floats(state + at, update * (load_floats(state + at) - new) + new);                              \
        }                                                                                                          \
    }
GRU(gru, float, load_floats)
GRU(gru_of_table, uint16_t, load_halves)
#undef GRU

static void add(float *to, const float *from, size_t size) {
    for (size_t at = 0; at < size; at += LANES) store_floats(to + at, load_floats(to + at) + load_floats(from + at));
}

/* Rows [rows, inputs] in 8 bits in the work's bytes, normalised first if `epsilon` >= 0. */
static void to_bytes(const Work *work, const float *rows, int32_t size, int32_t count, float epsilon) {
    for (int32_t row = 0; row < count; row++)
        row_bytes(rows + (size_t)row * size, size, epsilon, work->bytes + (size_t)row * size, work->row_scale + row);
}

/* Rows [rows, inputs] through `linear`, normalised first if `epsilon` >= 0; `to` may be the rows. */
static void project(const Work *work, const Linear *linear, const float *rows, int32_t count, float epsilon,
                    float *to) {
    to_bytes(work, rows, linear->inputs, count, epsilon);
    multiply(linear, work->bytes, work->row_scale, count, to);
}

/* One direction of an encoder layer over all sentences. From layer 2 on the input's share of a token's gates lies in
 * work->wide. Hidden states go to `outputs`, the last ones to `lasts`, each into its half of the memory. */
static void run_direction(const Work *work, int32_t layer, int32_t backwards) {
    const Network *network = work->network;
    const Job *job = work->job;
    const Linear *of_state = &network->encoder_states[layer][backwards];
    const int32_t size = network->encoder_hidden, memory = 2 * size, offset = backwards * size;
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
            const size_t token = work->first_token[row] + place, gates = 3 * (size_t)size;
            const float *hidden = work->gates + (size_t)row * of_state->outputs;
            float *state = work->lasts + (size_t)row * memory + offset;
            if (layer) {
                gru(work->wide + token * network->encoder_inputs[layer].outputs + backwards * gates, hidden, state, size);
            } else {
                const size_t id = job->source[(size_t)row * job->longest + place];
                gru_of_table(network->source_table + (2 * id + backwards) * gates, hidden, state, size);
            }
            memcpy(work->outputs + token * memory + offset, state, size * sizeof(float));
        }
    }
}

/* Sources -> keys and values of each token, and the first states of each decoder layer. */
static void encode(const Work *work) {
    const Network *network = work->network;
    const int32_t batch = work->job->batch, beam = work->job->beam;
    const size_t cells = (size_t)work->tokens * 2 * network->encoder_hidden;
    const size_t all = (size_t)network->decoder_layers * network->decoder_hidden;
    for (int32_t layer = 0; layer < network->encoder_layers; layer++) {
        if (layer) {
            project(work, &network->encoder_inputs[layer], work->outputs, work->tokens, network->epsilon, work->wide);
            memcpy(work->hidden, work->outputs, cells * sizeof(float)); /* for the residual */
        }
        for (int32_t backwards = 0; backwards < 2; backwards++) run_direction(work, layer, backwards);
        if (network->encoder_residual[layer]) add(work->outputs, work->hidden, cells);
    }
    project(work, &network->keys_values, work->outputs, work->tokens, network->epsilon, work->keys_values);
    project(work, &network->bridge, work->lasts, batch, NOT_NORMALISED, work->wide);
    for (int32_t row = 0; row < batch; row++) {
        const float *from = work->wide + (size_t)row * network->bridge.outputs;
        for (size_t at = 0; at < all; at += LANES)
            store_floats(work->states + (size_t)row * beam * all + at, hyperbolic_tangent(load_floats(from + at)));
    }
}

/* Reads a sentence's keys and values by one query; the context replaces it. `mean` [source]: weights, over heads. */
static void attend(const Work *work, int32_t sentence, float *query, float *mean) {
    const Network *network = work->network;
    const int32_t size = network->decoder_hidden, head_size = size / network->heads;
    const int32_t length = work->job->lengths[sentence];
    const size_t stride = network->keys_values.outputs;
    const float *keys_values = work->keys_values + (size_t)work->first_token[sentence] * stride;
    float *weights = work->weights;
    memset(mean, 0, length * sizeof(float));
    for (int32_t head = 0; head < network->heads; head++) {
        float *part = query + head * head_size, top = -INFINITY;
        for (int32_t token = 0; token < length; token++) {
            const float *key = keys_values + token * stride + head * head_size;
            lanes sum = broadcast(0.0f);
            for (int32_t at = 0; at < head_size; at += LANES) sum = load_floats(part + at) * load_floats(key + at) + sum;
            weights[token] = sum_of(sum);
            top = fmaxf(top, weights[token]);
        }
        for (int32_t token = length; token % LANES; token++) weights[token] = -INFINITY;
        lanes sums = broadcast(0.0f);
        for (int32_t token = 0; token < length; token += LANES) {
            const lanes terms = exponential(load_floats(weights + token) - broadcast(top));
            store_floats(weights + token, terms);
            sums = sums + terms;
        }
        const float total = sum_of(sums);
        for (int32_t token = 0; token < length; token++) {
            weights[token] /= total;
            mean[token] += weights[token] / network->heads;
        }
        for (int32_t at = 0; at < head_size; at += LANES) {
            const float *value = keys_values + size + head * head_size + at;
            lanes sum = broadcast(0.0f);
            for (int32_t token = 0; token < length; token++)
                sum = broadcast(weights[token]) * load_floats(value + token * stride) + sum;
            store_floats(part + at, sum);
        }
    }
}

/* The stream + what it reads of the sources. */
static void add_context(const Work *work, int32_t rows, int32_t time) {
    const Network *network = work->network;
    const Job *job = work->job;
    const size_t size = network->decoder_hidden, slots = (size_t)job->batch * job->beam;
    project(work, &network->query, work->stream, rows, network->epsilon, work->query);
    for (int32_t row = 0; row < rows; row++) {
        const Row *of = work->rows + row;
        const size_t place = time * slots + (size_t)of->sentence * job->beam + of->place;
        attend(work, of->sentence, work->query + row * size, work->attention + place * job->longest);
    }
    project(work, &network->context, work->query, rows, NOT_NORMALISED, work->query);
    add(work->stream, work->query, rows * size);
}

/* One decoder layer: the stream of the rows goes through it. */
static void run_layer(const Work *work, int32_t layer, int32_t rows) {
    const Network *network = work->network;
    const Linear *inputs = &network->decoder_inputs[layer], *of_state = &network->decoder_states[layer];
    const int32_t size = network->decoder_hidden;
    if (layer) project(work, inputs, work->stream, rows, network->epsilon, work->wide);
    float *states = work->states + (size_t)layer * size;
    const size_t all = (size_t)network->decoder_layers * size;
    for (int32_t row = 0; row < rows; row++)
        state_bytes(states + work->rows[row].slot * all, size, work->bytes + (size_t)row * size, work->row_scale + row);
    multiply(of_state, work->bytes, work->row_scale, rows, work->gates);
    for (int32_t row = 0; row < rows; row++) {
        const float *hidden = work->gates + (size_t)row * of_state->outputs;
        float *state = states + work->rows[row].slot * all, *stream = work->stream + (size_t)row * size;
        if (layer) gru(work->wide + (size_t)row * inputs->outputs, hidden, state, size);
        else gru_of_table(network->target_table + 3 * (size_t)size * work->rows[row].last, hidden, state, size);
        if (network->decoder_residual[layer]) add(stream, state, size);
        else memcpy(stream, state, size * sizeof(float));
    }
}

/* Puts `token` where it belongs among the best of `row`, if it is allowed. */
static void consider(const Work *work, const Row *row, int32_t time, int32_t token, float logit, Best *best) {
    if (best->count == best->most && !(logit > best->logits[best->most - 1])) return;
    if (!is_allowed(work, row, token, time)) return;
    int32_t at = best->count < best->most ? best->count++ : best->most - 1;
    for (; at && logit > best->logits[at - 1]; at--) {
        best->logits[at] = best->logits[at - 1];
        best->tokens[at] = best->tokens[at - 1];
    }
    best->logits[at] = logit;
    best->tokens[at] = token;
}

/* Takes in the logits of some tokens from `first` on. */
static void look_through(const Work *work, const Row *row, int32_t time, int32_t first, const float *logits,
                         int32_t count, Best *best) {
    lanes tops = broadcast(-INFINITY), sums = broadcast(0.0f);
    for (int32_t at = 0; at < count; at += LANES) tops = maximum(tops, load_floats(logits + at));
    const float top = largest(tops);
    if (top > best->top) {
        best->sum *= expf(best->top - top);
        best->top = top;
    }
    for (int32_t at = 0; at < count; at += LANES)
        sums = sums + exponential(load_floats(logits + at) - broadcast(best->top));
    best->sum += sum_of(sums);
    const Job *job = work->job;
    for (int32_t number = 0; number < job->required_most; number++) {
        const int32_t token = job->required[(size_t)row->sentence * job->required_most + number];
        if (token >= first && token < first + count)
            work->wanted[(row - work->rows) * job->required_most + number] = logits[token - first];
    }
    const float *least = best->logits + best->most - 1; /* minus infinity until there are as many */
    if (!(top > *least)) return;
    for (int32_t at = 0; at < count; at += LANES)
        for (uint32_t higher = where_above(load_floats(logits + at), broadcast(*least)); higher; higher &= higher - 1) {
            const int32_t lane = __builtin_ctz(higher);
            consider(work, row, time, first + at + lane, logits[at + lane], best);
        }
}

/* The best tokens of each row. The vocabulary goes by in chunks whose logits never leave the cache. */
static void find_best(const Work *work, int32_t rows, int32_t time) {
    const Linear *output = &work->network->output;
    const int32_t panels = output->outputs / PANEL;
    to_bytes(work, work->query, output->inputs, rows, NOT_NORMALISED);
    for (int32_t row = 0; row < rows; row++) {
        Best *best = work->best + row;
        best->top = -INFINITY;
        best->sum = 0;
        best->count = 0;
        best->most = work->job->beam == 1 || work->rows[row].forced != PAD ? 1 : 2 * work->job->beam;
        for (int32_t at = 0; at < best->most; at++) best->logits[at] = -INFINITY;
    }
    for (int32_t panel = 0; panel < panels; panel += CHUNK) {
        const int32_t end = panel + CHUNK < panels ? panel + CHUNK : panels;
        for (int32_t start = 0; start < rows; start += ROWS) {
            const int32_t count = start + ROWS < rows ? ROWS : rows - start;
            multiply_panels(output, panel, end, work->bytes + (size_t)start * output->inputs, work->row_scale + start,
                            count, work->logits, CHUNK * PANEL);
            for (int32_t row = 0; row < count; row++)
                look_through(work, work->rows + start + row, time, panel * PANEL, work->logits + row * CHUNK * PANEL,
                             (end - panel) * PANEL, work->best + start + row);
        }
    }
}

/* One step of the decoder. */
static void step(const Work *work, int32_t rows, int32_t time) {
    const Network *network = work->network;
    for (int32_t layer = 0; layer < network->decoder_layers; layer++) {
        run_layer(work, layer, rows);
        if (layer == 0) add_context(work, rows, time);
    }
    project(work, &network->readout, work->stream, rows, network->epsilon, work->query);
    find_best(work, rows, time);
}
