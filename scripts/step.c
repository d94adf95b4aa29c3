/* What bench_step.py compares with: the arithmetic of realtime/engine.py at 2 x 512, in C.
 *
 *     gcc -O3 -march=native -ffast-math step.c -lm
 *
 * Reads lines "COUNT INTERVAL_NS"; for each, makes COUNT steps, one every INTERVAL_NS (0: one
 * right after the other), and prints the nanoseconds of each on one line. The weights are left to
 * chance: no time depends on them. It samples without sorting out the least likely choices.
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HIDDEN = 512, HEAD = 256, NOTES = 128, VELOCITIES = 128, BINS = 64 };
enum { GATES = 4 * HIDDEN, HEADS = 4 * HEAD, ROW = GATES + HEADS };
enum { SOUNDING = 4 }; /* notes that sound, as in bench_step.py */

#define WEIGHTS(name, rows, columns) static _Alignas(64) float name[rows][columns]
WEIGHTS(note_rows, NOTES, ROW);
WEIGHTS(velocity_rows, VELOCITIES, ROW);
WEIGHTS(time_rows, BINS, ROW);
WEIGHTS(sounding_rows, 2 * NOTES, ROW);
WEIGHTS(lower, GATES, HIDDEN);
WEIGHTS(upper, GATES, 2 * HIDDEN);
WEIGHTS(heads, HEADS, HIDDEN);
WEIGHTS(from_time, 3 * BINS, HEAD);
WEIGHTS(from_note, NOTES, HEAD);
WEIGHTS(by_age, BINS, HEAD);
WEIGHTS(time_head, BINS, HEAD);
WEIGHTS(note_head, NOTES, HEAD);
WEIGHTS(release_head, NOTES, HEAD);
WEIGHTS(velocity_head, VELOCITIES, HEAD);
WEIGHTS(biases, 1, GATES);

static _Alignas(64) float h[2 * HIDDEN], c[2 * HIDDEN]; /* both layers, the lower first */

static uint64_t dice = 88172645463325252u;

static float chance(void) /* 0..1 */
{
    dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
    return (dice >> 40) / (float)(1 << 24);
}

static void fill(float *weights, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof(float); i++)
        weights[i] = (chance() - 0.5f) / 8;
}

/* out = matrix x vector: eight rows at a time, for as many sums that do not wait for each other. */
static void multiply(const float *restrict matrix, const float *restrict vector,
                     float *restrict out, int rows, int columns)
{
    for (int row = 0; row < rows; row += 8, matrix += 8 * columns) {
        float sums[8] = {0};
        for (int i = 0; i < columns; i++)
            for (int k = 0; k < 8; k++)
                sums[k] += matrix[k * columns + i] * vector[i];
        memcpy(out + row, sums, sizeof sums);
    }
}

static float sigmoid(float x) { return 1 / (1 + expf(-x)); }

/* The output is a part of the inputs, of the next step's if not of this one's. */
static void lstm(const float *matrix, const float *inputs, int columns, const float *bias,
                 float *cell, float *output)
{
    static _Alignas(64) float gates[GATES];
    multiply(matrix, inputs, gates, GATES, columns);
    for (int i = 0; i < HIDDEN; i++) {
        float in = sigmoid(gates[i] + bias[i]);
        float forget = sigmoid(gates[HIDDEN + i] + bias[HIDDEN + i]);
        float out = sigmoid(gates[2 * HIDDEN + i] + bias[2 * HIDDEN + i]);
        float candidate = tanhf(gates[3 * HIDDEN + i] + bias[3 * HIDDEN + i]);
        cell[i] = forget * cell[i] + in * candidate;
        output[i] = out * tanhf(cell[i]);
    }
}

static int sample(const float *logits, int choices)
{
    float sums[NOTES], best = logits[0], sum = 0;
    for (int i = 1; i < choices; i++)
        best = fmaxf(best, logits[i]);
    for (int i = 0; i < choices; i++)
        sums[i] = expf(logits[i] - best);
    for (int i = 0; i < choices; i++)
        sums[i] = sum += sums[i];
    float drawn = chance() * sum;
    int choice = 0;
    while (choice < choices - 1 && sums[choice] <= drawn)
        choice++;
    return choice;
}

/* hidden = what is known + one row of each table, negative values set to 0. */
static void know(const float *known, const float *row, const float *row2, float *hidden)
{
    for (int i = 0; i < HEAD; i++)
        hidden[i] = fmaxf(known[i] + row[i] + (row2 ? row2[i] : 0), 0);
}

static void step(int *note, int *velocity, int *time)
{
    static _Alignas(64) float row[ROW], known[HEADS], centred[HIDDEN], hidden[HEAD];
    static float logits[NOTES];

    /* Lookup: the event, and the notes that sound with their ages. */
    const float *n = note_rows[*note], *v = velocity_rows[*velocity], *t = time_rows[*time];
    for (int i = 0; i < ROW; i++)
        row[i] = n[i] + v[i] + t[i];
    for (int s = 0; s < SOUNDING; s++) {
        const float *sounds = sounding_rows[2 * ((*note + 3 * s) % NOTES)], *aged = sounds + ROW;
        float age = log1pf(s);
        for (int i = 0; i < ROW; i++)
            row[i] += sounds[i] + age * aged[i];
    }

    lstm(*lower, h, HIDDEN, row, c, h);
    lstm(*upper, h, 2 * HIDDEN, *biases, c + HIDDEN, h + HIDDEN);

    float mean = 0, variance = 0;
    for (int i = 0; i < HIDDEN; i++)
        mean += h[HIDDEN + i] / HIDDEN;
    for (int i = 0; i < HIDDEN; i++)
        centred[i] = h[HIDDEN + i] - mean;
    for (int i = 0; i < HIDDEN; i++)
        variance += centred[i] * centred[i] / HIDDEN;
    for (int i = 0; i < HIDDEN; i++)
        centred[i] /= sqrtf(variance + 1e-5f);
    multiply(*heads, centred, known, HEADS, HIDDEN);
    for (int i = 0; i < HEADS; i++)
        known[i] += row[GATES + i];

    know(known, from_time[0], NULL, hidden);
    multiply(*time_head, hidden, logits, BINS, HEAD);
    *time = sample(logits, BINS);

    know(known + HEAD, from_time[*time], NULL, hidden);
    multiply(*note_head, hidden, logits, NOTES, HEAD);
    know(known + 2 * HEAD, from_time[BINS + *time], NULL, hidden);
    for (int s = 0; s < SOUNDING; s++) {
        int sounding = (*note + 3 * s) % NOTES;
        logits[sounding] = 0;
        for (int i = 0; i < HEAD; i++)
            logits[sounding] += hidden[i] * (release_head[sounding][i] + by_age[*time][i]);
    }
    *note = sample(logits, NOTES);

    know(known + 3 * HEAD, from_time[2 * BINS + *time], from_note[*note], hidden);
    multiply(*velocity_head, hidden, logits, VELOCITIES, HEAD);
    *velocity = sample(logits, VELOCITIES);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(void)
{
#define FILL(name) fill(*name, sizeof name)
    FILL(note_rows), FILL(velocity_rows), FILL(time_rows), FILL(sounding_rows), FILL(lower);
    FILL(upper), FILL(heads), FILL(from_time), FILL(from_note), FILL(by_age), FILL(time_head);
    FILL(note_head), FILL(release_head), FILL(velocity_head), FILL(biases);

    int note = 60, velocity = 64, time = 0;
    long count, interval_ns;
    while (scanf("%ld %ld", &count, &interval_ns) == 2) {
        int64_t due_ns = now_ns();
        for (long i = 0; i < count; i++) {
            due_ns += interval_ns;
            struct timespec due = {due_ns / 1000000000, due_ns % 1000000000};
            if (interval_ns)
                clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
            int64_t begun_ns = now_ns();
            step(&note, &velocity, &time);
            printf("%lld ", (long long)(now_ns() - begun_ns));
        }
        printf("\n");
        fflush(stdout);
    }
}
