/* Greedy and beam search in 8-bit integers: the loops of model/search/greedy.py and beam.py over the network of
 * model/kernels/int8.py, for the layout that ships (GRU, bidirectional encoder, layer norm, attention), in one call.
 *
 *     decode.c            the search: plain C
 *     decode_network.h    the network, written for registers of any width
 *     decode_avx512.c     its products for CPUs with AVX-512 VNNI
 *     decode_avx2.c       and for those with AVX2 only
 *
 * The same arithmetic in PyTorch takes some forty kernels a step, most of them too small to be worth their call; here a
 * step is seven products, and what stands between them happens while the row is in the first-level cache. The
 * call knows nothing of Python, so several threads may decode several batches at once.
 *
 * Keys and values are there once a sentence, states once a hypothesis. Weights are int8 with one scale an output;
 * activations are 8 bits with one scale a row, or 1/127 for hidden states, which lie in [-1, 1].
 */
#include "decode.h"

#include <math.h>
#include <stdatomic.h>
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
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void)0)
#endif

#define ALIGNMENT 64
#define WIDEST_REGISTER 16

enum { DONE = 0, NO_MEMORY = 1, NOT_FINITE = 2, UNFIT = 3 };

/* How a hypothesis was made at one step: `place` of its parent among those of its sentence that the step read. */
typedef struct Link {
    int32_t token, parent;
    float log_prob;
} Link;

/* A hypothesis that came to its end: `length` tokens, the last of which stands at `place`. */
typedef struct Ending {
    double score; /* normalised */
    int32_t length, place, finished;
    float log_prob; /* of the end mark, if it is finished */
} Ending;

/* One more token for the row at `parent`. */
typedef struct Proposal {
    double score;
    int32_t parent, token;
    float log_prob;
    uint32_t missing; /* what then is still required */
} Proposal;

/* What the caller believes of these files, to be compared with its own. */
int32_t size_of_network(void) { return sizeof(Network); }
int32_t size_of_job(void) { return sizeof(Job); }

/* Programs by number: 1 AVX2, 2 AVX-512 VNNI; NULL where this CPU cannot run it. */
static const Program *program_of(int32_t number) {
    return number == 1 ? avx2_program() : number == 2 ? avx512_program() : NULL;
}

/* The number of the fastest program for this CPU, or 0. */
int32_t can_decode(void) { return program_of(2) ? 2 : program_of(1) ? 1 : 0; }

/* Whether this CPU runs program `number`. */
int32_t has_program(int32_t number) { return program_of(number) != NULL; }

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static size_t slots_of(const Job *job) { return (size_t)job->batch * job->beam; }
static Link *link_of(const Work *work, int32_t time, int32_t sentence, int32_t place) {
    return work->links + time * slots_of(work->job) + (size_t)sentence * work->job->beam + place;
}
static int32_t *history_of(const Work *work, const Row *row) {
    return work->history + (size_t)row->slot * work->job->steps;
}
static double normalised(const Job *job, double total, int32_t length) {
    return total / pow(length, job->length_penalty);
}

/* Whether `token` behind `history` ends as many tokens in a row as were there before. */
static int repeats(const int32_t *history, int32_t length, int32_t ngram, int32_t token) {
    const int32_t *tail = history + length - ngram + 1;
    for (const int32_t *at = history; at + ngram <= history + length; at++)
        if (at[ngram - 1] == token && !memcmp(at, tail, (ngram - 1) * sizeof *at)) return 1;
    return 0;
}

/* Whether `token` is required of the sentence of `row`, and then the bit of the first one that is missing, or 0. */
static int is_required(const Job *job, const Row *row, int32_t token, uint32_t *missing) {
    const int32_t *required = job->required + (size_t)row->sentence * job->required_most;
    int found = 0;
    *missing = 0;
    for (int32_t number = 0; number < job->required_most && required[number] != PAD; number++)
        if (required[number] == token) {
            found = 1;
            if (!*missing) *missing = row->missing & 1u << number;
        }
    return found;
}

int is_allowed(const Work *work, const Row *row, int32_t token, int32_t time) {
    const Job *job = work->job;
    if (row->forced != PAD) return token == row->forced; /* guards do not apply to it */
    if (job->forbidden[(size_t)row->sentence * job->forbidden_stride + token]) return 0;
    if (token == END && (time == 0 || row->missing)) return 0;
    uint32_t missing;
    if (job->required_most && is_required(job, row, token, &missing) && !missing) return 0;
    if (token == row->last && row->run >= job->runs[row->sentence]) return 0;
    const int32_t ngram = job->no_repeat_ngram;
    return !(ngram && time >= ngram && repeats(history_of(work, row), time, ngram, token));
}

/* The best of what `width` rows of a sentence, from `first` on, propose, the best first: how many, or -1 on no number. */
static int32_t propose(const Work *work, int32_t first, int32_t width, Proposal *best) {
    const int32_t most = work->job->beam == 1 ? 1 : 2 * work->job->beam;
    int32_t count = 0;
    for (int32_t parent = 0; parent < width; parent++) {
        const Best *of_row = work->best + first + parent;
        const float total = of_row->top + logf(of_row->sum);
        if (!isfinite(total)) return -1;
        for (int32_t rank = 0; rank < of_row->count; rank++) {
            const float log_prob = of_row->logits[rank] - total;
            const double score = work->rows[first + parent].score + log_prob;
            if (count == most && !(score > best[most - 1].score)) break;
            int32_t at = count < most ? count++ : most - 1;
            for (; at && score > best[at - 1].score; at--) best[at] = best[at - 1];
            best[at] = (Proposal){.score = score, .parent = parent, .token = of_row->tokens[rank], .log_prob = log_prob};
        }
    }
    return count;
}

static int better_first(const void *left, const void *right) {
    const Proposal *a = left, *b = right;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return a->parent != b->parent ? a->parent - b->parent : a->token - b->token;
}

/* All that `width` rows of a sentence propose, what they miss included, the best first: how many, or -1 on no number. */
static int32_t propose_all(const Work *work, int32_t first, int32_t width, int32_t time) {
    const Job *job = work->job;
    Proposal *all = work->proposals;
    int32_t count = 0;
    for (int32_t parent = 0; parent < width; parent++) {
        const Row *row = work->rows + first + parent;
        const Best *best = work->best + first + parent;
        const int32_t *required = job->required + (size_t)row->sentence * job->required_most;
        const float *wanted = work->wanted + (size_t)(first + parent) * job->required_most;
        const float total = best->top + logf(best->sum);
        if (!isfinite(total)) return -1;
        for (int32_t at = 0; at < best->count + job->required_most; at++) {
            const int32_t number = at - best->count, token = number < 0 ? best->tokens[at] : required[number];
            int is_new = number < 0 || (row->missing >> number & 1 && is_allowed(work, row, token, time));
            for (int32_t other = 0; number >= 0 && is_new && other < at; other++)
                is_new = token != (other < best->count ? best->tokens[other] : required[other - best->count]);
            if (!is_new) continue;
            const float log_prob = (number < 0 ? best->logits[at] : wanted[number]) - total;
            uint32_t met;
            is_required(job, row, token, &met);
            all[count++] = (Proposal){.score = row->score + log_prob, .parent = parent, .token = token,
                                      .log_prob = log_prob, .missing = row->missing & ~met};
        }
    }
    qsort(all, count, sizeof *all, better_first);
    return count;
}

/* As `propose`, where tokens are required: the beam is shared out among those that have none of them, one, two ...
 * (Post & Vilar 2018, without their trie). First those that end, then those that go on, each the best first. */
static int32_t propose_complete(const Work *work, int32_t first, int32_t width, int32_t time, Proposal *best) {
    const Job *job = work->job;
    const int32_t *required = job->required + (size_t)work->rows[first].sentence * job->required_most, beam = job->beam;
    int32_t banks = 1, room[MAX_REQUIRED + 1], ends = 0, left = beam, count = propose_all(work, first, width, time);
    Proposal *all = work->proposals;
    while (banks <= job->required_most && required[banks - 1] != PAD) banks++;
    for (int32_t bank = 0; bank < banks; bank++) { /* by how many are missing */
        room[bank] = bank == 0 ? beam - (banks - 1) * (beam / banks) : beam / banks;
        if (beam < banks) room[bank] = bank < beam;
    }
    for (int32_t at = 0, whole = 0; at < count && whole < beam; at++) {
        if (all[at].missing) continue;
        whole++;
        if (all[at].token == END) best[ends++] = all[at];
    }
    int32_t kept = ends;
    for (int32_t round = 0; round < 2; round++) /* each bank's share, then what is left over */
        for (int32_t at = 0; at < count && left; at++) {
            int32_t *free = room + __builtin_popcount(all[at].missing);
            if (all[at].token == END || all[at].parent < 0 || (round == 0 && !*free)) continue;
            if (round == 0) --*free;
            best[kept++] = all[at];
            all[at].parent = -1;
            left--;
        }
    qsort(best + ends, kept - ends, sizeof *best, better_first);
    return count < 0 ? -1 : kept;
}

/* Keeps an ending among the best finished ones of its sentence, of which there are `beam` at most. */
static void keep_finished(const Work *work, int32_t sentence, Ending ending) {
    const int32_t beam = work->job->beam;
    Ending *endings = work->endings + (size_t)sentence * 2 * beam;
    int32_t *count = work->ended + sentence;
    if (*count == beam && !(ending.score > endings[beam - 1].score)) return;
    int32_t at = *count < beam ? (*count)++ : beam - 1;
    for (; at && ending.score > endings[at - 1].score; at--) endings[at] = endings[at - 1];
    endings[at] = ending;
}

/* Puts the hypothesis `to`, made by `proposal` from `from`, where its parent was, or into the slot that is free. */
static void follow(const Work *work, const Row *from, const Proposal *proposal, int32_t place, int32_t slot, int32_t time,
                   Row *to) {
    const Network *network = work->network;
    const Job *job = work->job;
    *to = *from;
    to->score = proposal->score;
    to->place = place;
    to->slot = slot;
    to->last = proposal->token;
    to->missing = proposal->missing;
    to->run = proposal->token == from->last ? from->run + 1 : 1;
    to->forced = time + 1 < job->prefix_steps ? job->prefix[(size_t)from->sentence * job->prefix_steps + time + 1] : PAD;
    if (slot != from->slot) {
        const size_t all = (size_t)network->decoder_layers * network->decoder_hidden;
        memcpy(work->states + slot * all, work->states + from->slot * all, all * sizeof(float));
        memcpy(history_of(work, to), history_of(work, from), time * sizeof(int32_t));
    }
}

/* Goes on with `count` proposals of a sentence whose rows begin at `rows`; writes the new rows to `next`. The first child
 * of a row takes its slot, the others those of rows without children. */
static void go_on(const Work *work, const Row *rows, const Proposal *live, int32_t count, int32_t time, Row *next) {
    const int32_t beam = work->job->beam, base = rows->sentence * beam;
    int32_t is_taken[MAX_BEAM] = {0}, has_child[MAX_BEAM] = {0};
    for (int32_t place = 0; place < count; place++) is_taken[rows[live[place].parent].slot - base] = 1;
    for (int32_t place = 0, free = 0; place < count; place++) {
        const Row *from = rows + live[place].parent;
        int32_t slot = from->slot;
        if (has_child[live[place].parent]++) {
            while (is_taken[free]) free++;
            is_taken[free] = 1;
            slot = base + free;
        }
        follow(work, from, live + place, place, slot, time, next + place);
    }
    for (int32_t place = 0; place < count; place++) history_of(work, next + place)[time] = next[place].last;
}

/* One step of the sentence whose `width` rows begin at `first`: how many rows go on, written to `next`; -1 on no number.
 * As in model/search/beam.py. */
static int32_t advance(const Work *work, int32_t first, int32_t width, int32_t time, Row *next) {
    const Job *job = work->job;
    const Row *rows = work->rows + first;
    const int32_t sentence = rows->sentence, beam = job->beam;
    Proposal proposals[MAX_BEST];
    const int32_t count = job->required_most ? propose_complete(work, first, width, time, proposals)
                                             : propose(work, first, width, proposals);
    if (count < 0) return -1;
    int32_t live = 0;
    for (int32_t rank = 0; rank < count && live < beam; rank++) {
        const Proposal *made = proposals + rank;
        if (made->token != END) {
            *link_of(work, time, sentence, live) = (Link){made->token, made->parent, made->log_prob};
            proposals[live++] = *made;
        } else if (rank < beam) {
            work->seen[sentence]++;
            const double score = normalised(job, made->score, time + 1);
            keep_finished(work, sentence, (Ending){score, time, made->parent, 1, made->log_prob});
        }
    }
    Ending *endings = work->endings + (size_t)sentence * 2 * beam;
    int32_t *ended = work->ended + sentence;
    if (time + 1 >= job->limits[sentence]) {
        for (int32_t place = 0; place < live; place++)
            endings[(*ended)++] = (Ending){normalised(job, proposals[place].score, time + 1), time + 1, place, 0, 0};
        return 0;
    }
    if (!live || work->seen[sentence] >= beam) return 0;
    const double bound = normalised(job, proposals[0].score, job->limits[sentence]);
    if (*ended >= job->n_best && bound <= endings[job->n_best - 1].score) return 0;
    go_on(work, rows, proposals, live, time, next);
    return live;
}

/* Searches all sentences to their endings. */
static int search(Work *work, const Program *program) {
    const Job *job = work->job;
    int32_t count = job->batch;
    for (int32_t sentence = 0; sentence < count; sentence++) {
        const int32_t forced = job->prefix_steps ? job->prefix[(size_t)sentence * job->prefix_steps] : PAD;
        work->rows[sentence] = (Row){.sentence = sentence, .slot = sentence * job->beam, .last = BOS, .forced = forced};
        for (int32_t number = 0; number < job->required_most; number++)
            if (job->required[(size_t)sentence * job->required_most + number] != PAD)
                work->rows[sentence].missing |= 1u << number;
        work->ended[sentence] = work->seen[sentence] = 0;
    }
    for (int32_t time = 0; count && time < job->steps; time++) {
        program->step(work, count, time);
        int32_t left = 0;
        for (int32_t first = 0, width; first < count; first += width) {
            for (width = 1; first + width < count && work->rows[first + width].place; width++) {}
            const int32_t more = advance(work, first, width, time, work->next + left);
            if (more < 0) return NOT_FINITE;
            left += more;
        }
        Row *rows = work->rows;
        work->rows = work->next;
        work->next = rows;
        count = left;
    }
    return DONE;
}

/* Writes down one ending of a sentence as its result number `rank`, from its last token backwards. */
static void write_down(const Work *work, int32_t sentence, int32_t rank, const Ending *ending) {
    const Job *job = work->job;
    const size_t result = (size_t)sentence * job->n_best + rank, longest = job->longest;
    int32_t *tokens = job->tokens + result * job->steps;
    float *log_probs = job->log_probs + result * job->steps, *attention = job->attention + result * job->steps * longest;
    for (int32_t time = ending->length - 1, place = ending->place; time >= 0; time--) {
        const Link *link = link_of(work, time, sentence, place);
        const size_t read = time * slots_of(job) + (size_t)sentence * job->beam + link->parent;
        tokens[time] = link->token;
        log_probs[time] = link->log_prob;
        memcpy(attention + time * longest, work->attention + read * longest, job->lengths[sentence] * sizeof(float));
        place = link->parent;
    }
    if (ending->finished) log_probs[ending->length] = ending->log_prob;
    job->counts[result] = ending->length + ending->finished;
    job->finished[result] = ending->finished;
    job->scores[result] = ending->score;
}

/* The results: DONE, or NOT_FINITE if a sentence has none. */
static int write_results(const Work *work) {
    const Job *job = work->job;
    for (int32_t sentence = 0; sentence < job->batch; sentence++) {
        const int32_t count = work->ended[sentence];
        if (!count) return NOT_FINITE;
        for (int32_t rank = 0; rank < job->n_best; rank++) {
            job->counts[(size_t)sentence * job->n_best + rank] = 0;
            if (rank < count) write_down(work, sentence, rank, work->endings + (size_t)sentence * 2 * job->beam + rank);
        }
    }
    return DONE;
}

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

/* Room for `size` bytes, from a cache line on. */
static void *take(Room *room, size_t size) {
    const size_t whole = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + GAP;
    char *taken = room->start ? room->start + room->used : NULL;
    if (taken) ASAN_POISON_MEMORY_REGION(taken + size, whole - size);
    room->used += whole;
    return taken;
}

#define TAKE(to, count) to = take(&room, (count) * sizeof *(to))

/* Points the parts of `work` into memory that begins at `start`, and returns its size; without a start it only counts. */
static size_t lay_out(Work *work, const Program *program, char *start) {
    const Network *network = work->network;
    const Job *job = work->job;
    const size_t batch = job->batch, tokens = work->tokens, size = network->decoder_hidden, slots = slots_of(job);
    const size_t memory = 2 * (size_t)network->encoder_hidden, rows = larger(tokens, slots), row = larger(size, memory);
    Room room = {start, 0};
    TAKE(work->first_token, batch);
    TAKE(work->bytes, rows * row);
    TAKE(work->row_scale, rows);
    TAKE(work->gates, slots * (3 * row + PANEL));
    TAKE(work->wide, rows * widest(network));
    TAKE(work->hidden, tokens * memory);
    TAKE(work->outputs, tokens * memory);
    TAKE(work->lasts, batch * memory);
    TAKE(work->keys_values, tokens * network->keys_values.outputs);
    TAKE(work->states, slots * network->decoder_layers * size);
    TAKE(work->stream, slots * size);
    TAKE(work->query, slots * size);
    TAKE(work->logits, program->logits);
    TAKE(work->weights, job->longest + WIDEST_REGISTER);
    TAKE(work->rows, slots);
    TAKE(work->next, slots);
    TAKE(work->best, slots);
    TAKE(work->wanted, slots * job->required_most);
    TAKE(work->proposals, job->required_most ? job->beam * (2 * (size_t)job->beam + job->required_most) : 0);
    TAKE(work->history, slots * job->steps);
    TAKE(work->attention, job->steps * slots * job->longest);
    TAKE(work->links, job->steps * slots);
    TAKE(work->endings, 2 * slots);
    TAKE(work->ended, batch);
    TAKE(work->seen, batch);
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
    if (job->beam < 1 || job->beam > MAX_BEAM || job->n_best < 1 || job->n_best > job->beam) return 0;
    if (job->required_most < 0 || job->required_most > MAX_REQUIRED || (job->required_most && job->beam == 1)) return 0;
    for (size_t row = 0; row < batch; row++) {
        const int32_t most = row ? job->lengths[row - 1] : job->longest;
        if (job->lengths[row] < 1 || job->lengths[row] > most) return 0;
        if (job->limits[row] < 1 || job->limits[row] > job->steps) return 0;
    }
    return job->no_repeat_ngram >= 0 && are_ids(job->source, batch * job->longest, network->source_vocab) &&
           are_ids(job->prefix, batch * job->prefix_steps, network->target_vocab) &&
           are_ids(job->required, batch * job->required_most, network->target_vocab);
}

/* A block that a call has left for the next ones: fresh pages would cost them some percent of their time, and what the C
 * library keeps of freed blocks of this size is several times as much. */
typedef struct Block {
    size_t size; /* behind the first cache line */
} Block;

enum { MOST_BLOCKS = 16 };
static _Atomic(Block *) blocks[MOST_BLOCKS]; /* as many as calls have run at once */

/* A block of at least `size` bytes, or NULL. */
static Block *borrow(size_t size) {
    Block *block = NULL;
    for (int32_t place = 0; place < MOST_BLOCKS && !block; place++) block = atomic_exchange(blocks + place, NULL);
    if (block) ASAN_UNPOISON_MEMORY_REGION(block, ALIGNMENT + block->size);
    if (block && block->size >= size) return block;
    free(block);
    block = aligned_alloc(ALIGNMENT, ALIGNMENT + size);
    if (block) block->size = size;
    return block;
}

static void give_back(Block *block) {
    for (int32_t place = 0; place < MOST_BLOCKS; place++) {
        Block *none = NULL;
        if (atomic_compare_exchange_strong(blocks + place, &none, block)) return;
    }
    free(block);
}

/* Decodes all sentences of `job` into its results by the program of this number. Returns 0, or what went wrong. */
int32_t decode(int32_t number, const Network *network, const Job *job) {
    const Program *program = program_of(number);
    Work work = {.network = network, .job = job};
    if (!program || !fits(network, job)) return UNFIT;
    for (int32_t row = 0; row < job->batch; row++) work.tokens += job->lengths[row];
    Block *block = borrow(lay_out(&work, program, NULL));
    if (!block) return NO_MEMORY;
    lay_out(&work, program, (char *)block + ALIGNMENT);
    for (int32_t row = 0, at = 0; row < job->batch; at += job->lengths[row], row++) work.first_token[row] = at;
    program->encode(&work);
    int result = search(&work, program);
    if (result == DONE) result = write_results(&work);
    give_back(block);
    return result;
}
