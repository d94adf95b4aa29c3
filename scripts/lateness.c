/* How late a C program wakes up that does nothing but wait: what bench_lateness.py measures
 * the player against. It asks the system for the same as the player does (realtime/priority.py).
 *
 *     lateness FIRST_DUE_NS INTERVAL_NS COUNT
 *
 * prints COUNT latenesses in nanoseconds, one a line.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    long long first_due_ns = atoll(argv[1]), interval_ns = atoll(argv[2]);
    long count = atol(argv[3]);
    long long *late_ns = calloc(count, sizeof *late_ns);
    struct sched_param priority = {.sched_priority = 50};

    /* What is refused is done without. */
    if (sched_setscheduler(0, SCHED_FIFO, &priority)) {
        struct { /* sched_attr */
            unsigned size, policy;
            unsigned long long flags;
            int nice;
            unsigned priority;
            unsigned long long runtime, deadline, period;
        } turns = {.size = sizeof turns, .policy = SCHED_OTHER, .runtime = 100000};
        turns.nice = getpriority(PRIO_PROCESS, 0);
        syscall(SYS_sched_setattr, 0, &turns, 0);
    }
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    mlockall(MCL_CURRENT);

    for (long i = 0; i < count; i++) {
        long long due_ns = first_due_ns + i * interval_ns;
        struct timespec due = {due_ns / NS_PER_S, due_ns % NS_PER_S}, now;
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL))
            ;
        clock_gettime(CLOCK_MONOTONIC, &now);
        late_ns[i] = now.tv_sec * NS_PER_S + now.tv_nsec - due_ns;
    }
    for (long i = 0; i < count; i++)
        printf("%lld\n", late_ns[i]);
    return 0;
}
