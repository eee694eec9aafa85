/* What decode.c and the programs for each kind of CPU (decode_avx2.c, decode_avx512.c) share: what comes in, and what one
 * call works with. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define PANEL 32
#define MAX_LAYERS 8
#define MAX_BEAM 64 /* as in model.config.SearchConfig */
#define MAX_BEST (2 * MAX_BEAM)
#define MAX_REQUIRED 31

enum { PAD = 0, BOS = 2, END = 3 };

/* A product of bytes around 128 by int8. Layout of a weight: panels of 32 outputs; in a panel, for each 4 inputs, 32 outputs x 4 inputs.
 * Outputs are padded to whole panels; only the vocabulary needs it, for all other sizes are whole. */
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
    const uint16_t *source_table, *target_table;     /* fp16: [vocab, 2 x 3 x hidden], [vocab, 3 x hidden] */
    Linear encoder_inputs[MAX_LAYERS];               /* from layer 2: both directions */
    Linear encoder_states[MAX_LAYERS][2];            /* forwards, backwards */
    Linear keys_values, bridge, query, context;
    Linear decoder_inputs[MAX_LAYERS], decoder_states[MAX_LAYERS];
    Linear readout, output;
    int32_t encoder_residual[MAX_LAYERS], decoder_residual[MAX_LAYERS];
} Network;

typedef struct {
    int32_t batch, longest, steps, prefix_steps;
    int32_t beam, n_best;            /* at most MAX_BEAM, at most `beam` */
    int32_t no_repeat_ngram;         /* no so many tokens twice; 0: no guard */
    int32_t required_most;           /* at most MAX_REQUIRED */
    double length_penalty;
    const int32_t *source, *lengths; /* [batch, longest], [batch]; the longest first, end mark included */
    const int32_t *limits;           /* [batch]: most steps, the end mark's included */
    const int32_t *runs;             /* [batch]: how often a token may stand in a row */
    const int32_t *prefix;           /* [batch, prefix_steps], PAD where nothing is forced */
    const uint8_t *forbidden;        /* [batch or 1, target_vocab]: 1 for what is never generated */
    const int32_t *required;         /* [batch, required_most]: what must occur, so often; then PAD */
    int32_t forbidden_stride;        /* 0 if all sentences share one row */
    int32_t *tokens, *counts;        /* results: [batch, n_best, steps], [batch, n_best]: log_probs of each, or 0 */
    int32_t *finished;               /* [batch, n_best]: whether the last of them is the end mark's */
    float *log_probs, *attention;    /* [batch, n_best, steps], [batch, n_best, steps, longest] */
    double *scores;                  /* [batch, n_best] */
} Job;

/* A hypothesis that the next step goes on with. Those of a sentence stand side by side, the best first. */
typedef struct {
    double score;                   /* sum of its log-probabilities */
    int32_t sentence, place, slot;  /* its rank in the sentence; where its states and tokens are kept */
    int32_t last, run;              /* its last token, and how often that stands at its end */
    int32_t forced;                 /* the next token; PAD: any */
    uint32_t missing;               /* a bit for each required token that is not there yet */
} Row;

/* The best tokens that may follow a row, the best first, and the softmax's denominator as sum x e^top. */
typedef struct {
    float top, sum;
    int32_t count, most;
    int32_t tokens[MAX_BEST];
    float logits[MAX_BEST];
} Best;

/* What one call works with. */
typedef struct {
    const Network *network;
    const Job *job;
    int32_t tokens;                  /* of all sources */
    int32_t *first_token;            /* [batch]: where a sentence's tokens begin among all */
    uint8_t *bytes;                  /* rows in 8 bits */
    float *row_scale;                /* and their scales */
    float *gates, *wide;             /* what hidden states give; products of many rows */
    float *hidden, *outputs, *lasts; /* encoder: [tokens, memory], [tokens, memory], [batch, memory] */
    float *keys_values;              /* [tokens, keys and values] */
    float *states;                   /* [slots, decoder layers, hidden]; the first slots of sentences begin with theirs */
    float *stream, *query;           /* [rows, hidden], [rows, hidden] */
    float *logits;                   /* of some rows and some of the vocabulary */
    float *weights;                  /* of one query over one source */
    Row *rows, *next;                /* [slots] */
    Best *best;                      /* [rows] */
    float *wanted;                   /* [rows, required_most]: logits of what is required */
    struct Proposal *proposals;      /* [beam x (2 x beam + required_most)], of one sentence: see decode.c */
    int32_t *history;                /* [slots, steps]: tokens so far */
    float *attention;                /* [steps, slots, longest] */
    struct Link *links;              /* [steps, slots]: see decode.c */
    struct Ending *endings;          /* [batch, 2 x beam]: likewise */
    int32_t *ended, *seen;           /* [batch]: endings that are kept; end marks so far */
} Work;

/* Whether `token` may follow `row`; `time` tokens stand there. */
int is_allowed(const Work *work, const Row *row, int32_t token, int32_t time);

/* What there is once for each kind of CPU. */
typedef struct {
    void (*encode)(const Work *work);                             /* sources -> keys_values, states */
    void (*step)(const Work *work, int32_t rows, int32_t time);   /* rows -> best, states, attention of this step */
    size_t logits;                                                /* numbers that `work->logits` must hold */
} Program;

const Program *avx2_program(void);
const Program *avx512_program(void);
