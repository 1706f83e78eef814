/* SPDX-License-Identifier: MIT */
/*
 * The sun and its four large planets, stepped by a leapfrog: double arithmetic, one division and one square root a pair.
 * Masses in 4 pi^2 suns, lengths in astronomical units, times in years. Size: steps.
 * The checksum is the energy in 1e-9, so that it is the same with fused multiplication and addition.
 */
#include "bench.h"
#include <math.h>

enum { BODIES = 5 };

typedef struct Body {
	double x[3], v[3], mass;
} Body;

static const double year = 365.24, sun = 4 * 3.14159265358979323846 * 3.14159265358979323846;

/* Positions, velocities a day, masses as parts of the sun's. */
static Body bodies[BODIES] = {
	{{0, 0, 0}, {0, 0, 0}, 1},
	{{4.841, -1.160, -0.1036}, {1.660e-3, 7.699e-3, -6.905e-5}, 9.548e-4}, /* Jupiter */
	{{8.343, 4.125, -0.4035}, {-2.767e-3, 4.999e-3, 2.304e-5}, 2.859e-4}, /* Saturn */
	{{12.894, -15.111, -0.2233}, {2.965e-3, 2.378e-3, -2.966e-5}, 4.366e-5}, /* Uranus */
	{{15.380, -25.919, 0.1793}, {2.681e-3, 1.628e-3, -9.516e-5}, 5.151e-5}, /* Neptune */
};

static void prepare(void)
{
	for (int b = 0; b < BODIES; b++) {
		bodies[b].mass *= sun;
		for (int d = 0; d < 3; d++)
			bodies[b].v[d] *= year;
	}
	for (int b = 1; b < BODIES; b++) /* the whole rests */
		for (int d = 0; d < 3; d++)
			bodies[0].v[d] -= bodies[b].v[d] * bodies[b].mass / sun;
}

static double energy(void)
{
	double e = 0;

	for (int b = 0; b < BODIES; b++) {
		const Body *p = &bodies[b];

		e += 0.5 * p->mass * (p->v[0] * p->v[0] + p->v[1] * p->v[1] + p->v[2] * p->v[2]);
		for (int c = b + 1; c < BODIES; c++) {
			double far = 0;

			for (int d = 0; d < 3; d++)
				far += (p->x[d] - bodies[c].x[d]) * (p->x[d] - bodies[c].x[d]);
			e -= p->mass * bodies[c].mass / sqrt(far);
		}
	}
	return e;
}

static void step(double dt)
{
	for (int b = 0; b < BODIES; b++) {
		Body *p = &bodies[b];

		for (int c = b + 1; c < BODIES; c++) {
			Body *q = &bodies[c];
			double dx = p->x[0] - q->x[0], dy = p->x[1] - q->x[1], dz = p->x[2] - q->x[2];
			double square = dx * dx + dy * dy + dz * dz;
			double pull = dt / (square * sqrt(square));

			p->v[0] -= dx * q->mass * pull;
			p->v[1] -= dy * q->mass * pull;
			p->v[2] -= dz * q->mass * pull;
			q->v[0] += dx * p->mass * pull;
			q->v[1] += dy * p->mass * pull;
			q->v[2] += dz * p->mass * pull;
		}
	}
	for (int b = 0; b < BODIES; b++)
		for (int d = 0; d < 3; d++)
			bodies[b].x[d] += dt * bodies[b].v[d];
}

int main(int argc, char **argv)
{
	int64_t steps = size_or(argc, argv, 5000000);

	prepare();
	for (int64_t i = 0; i < steps; i++)
		step(0.01);
	return report((uint64_t)(int64_t)floor(energy() * 1e9 + 0.5));
}
