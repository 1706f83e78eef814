/* SPDX-License-Identifier: MIT
 *
 * (qemu: the same)
 *
 * Threads: mutexes, conditions, barriers, keys, once, thread-local storage, joined and detached, robust mutexes,
 * semaphores, read-write locks, timeouts, cancellation.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long counter;
static int turn;
static _Thread_local int own = 5;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_ran, keys_ended;

static void *count(void *arg)
{
	int n = *(int *)arg;

	own += n;
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
	}
	return (void *)(long)own;
}

static void *ping(void *arg)
{
	int me = *(int *)arg;

	for (int i = 0; i < 50; i++) {
		pthread_mutex_lock(&lock);
		while (turn != me)
			pthread_cond_wait(&changed, &lock);
		turn = !me;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void *meet(void *arg)
{
	long serial = 0;

	(void)arg;
	for (int i = 0; i < 10; i++)
		serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
	return (void *)serial;
}

static void key_ended(void *value)
{
	keys_ended += *(int *)value;
}

static void run_once(void)
{
	once_ran++;
}

static void *with_key(void *arg)
{
	pthread_once(&once, run_once);
	pthread_setspecific(key, arg);
	return pthread_getspecific(key) == arg ? arg : NULL;
}

static pthread_mutex_t robust;

static void *dies_with_lock(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&robust);
	return NULL;
}

static void *sleeps(void *arg)
{
	(void)arg;
	for (;;)
		sleep(100);
	return NULL;
}

static sem_t done;

static void *posts(void *arg)
{
	(void)arg;
	sem_post(&done);
	return NULL;
}

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static int shared_value;

static void *writes(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		pthread_rwlock_wrlock(&rw);
		shared_value++;
		pthread_rwlock_unlock(&rw);
		pthread_rwlock_rdlock(&rw);
		pthread_rwlock_unlock(&rw);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[8];
	int numbers[8], pi = 0;
	long serials = 0;
	void *result;
	struct timespec when;
	pthread_mutexattr_t attr;
	pthread_attr_t detached;

	for (int i = 0; i < 8; i++) {
		numbers[i] = i;
		if (pthread_create(&threads[i], NULL, count, &numbers[i]))
			puts("no thread");
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &result);
		printf("thread %d gave %ld\n", i, (long)result);
	}
	printf("counter %ld own %d\n", counter, own);

	pthread_create(&threads[0], NULL, ping, &numbers[0]);
	pthread_create(&threads[1], NULL, ping, &numbers[1]);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	printf("turn %d\n", turn);

	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, meet, NULL);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		serials += (long)result;
	}
	printf("barrier: %ld\n", -serials == 10 || serials == 10 ? 10L : serials);

	pthread_key_create(&key, key_ended);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, with_key, &numbers[i + 1]);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], &result);
	printf("once %d keys %d\n", once_ran, keys_ended);

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attr);
	pthread_create(&threads[0], NULL, dies_with_lock, NULL);
	pthread_join(threads[0], NULL);
	printf("robust: %s\n", pthread_mutex_lock(&robust) == EOWNERDEAD ? "owner died" : "?");
	printf("consistent: %d\n", pthread_mutex_consistent(&robust));
	pthread_mutex_unlock(&robust);
	printf("again: %d\n", pthread_mutex_lock(&robust));

	pthread_mutexattr_init(&attr);
	if (pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT) == 0) {
		pthread_mutex_t mutex;

		pthread_mutex_init(&mutex, &attr);
		pi = pthread_mutex_lock(&mutex) || pthread_mutex_trylock(&mutex) != EBUSY || pthread_mutex_unlock(&mutex);
	}
	printf("pi: %d\n", pi);

	clock_gettime(CLOCK_REALTIME, &when);
	when.tv_nsec += 20000000;
	if (when.tv_nsec >= 1000000000) {
		when.tv_nsec -= 1000000000;
		when.tv_sec++;
	}
	pthread_mutex_lock(&lock);
	printf("timed wait: %s\n", strerror(pthread_cond_timedwait(&changed, &lock, &when)));
	printf("timed lock: %s\n", strerror(pthread_mutex_timedlock(&robust, &when)));
	pthread_mutex_unlock(&lock);

	pthread_create(&threads[0], NULL, sleeps, NULL);
	usleep(1000);
	pthread_cancel(threads[0]);
	pthread_join(threads[0], &result);
	printf("cancelled: %d\n", result == PTHREAD_CANCELED);

	sem_init(&done, 0, 0);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], &detached, posts, NULL);
	for (int i = 0; i < 4; i++)
		sem_wait(&done);
	printf("sem_trywait: %d %s\n", sem_trywait(&done), strerror(errno));

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, writes, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("written %d\n", shared_value);
	pthread_exit(NULL);
}

/* expect 0
 * thread 0 gave 5
 * thread 1 gave 6
 * thread 2 gave 7
 * thread 3 gave 8
 * thread 4 gave 9
 * thread 5 gave 10
 * thread 6 gave 11
 * thread 7 gave 12
 * counter 16000 own 5
 * turn 0
 * barrier: 10
 * once 1 keys 10
 * robust: owner died
 * consistent: 0
 * again: 0
 * pi: 0
 * timed wait: Connection timed out
 * timed lock: Connection timed out
 * cancelled: 1
 * sem_trywait: -1 Resource temporarily unavailable
 * written 400
 */
