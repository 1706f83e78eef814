/* SPDX-License-Identifier: MIT */
/* CRC-32 (polynomial 0xedb88320), a byte at a time through a table: a chain of a load, a shift and an exclusive or. Size: MiB. */
#include "bench.h"

enum { BLOCK = 1 << 20 };

static uint32_t table[256];
static uint8_t data[BLOCK];

int main(int argc, char **argv)
{
	int64_t n = size_or(argc, argv, 200);
	uint64_t state = 7;
	uint32_t crc = 0xffffffff;

	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] & 1 ? table[i] >> 1 ^ 0xedb88320 : table[i] >> 1;
	}
	for (int i = 0; i < BLOCK; i++)
		data[i] = (uint8_t)(next_random(&state) >> 56);
	for (int64_t k = 0; k < n; k++)
		for (int i = 0; i < BLOCK; i++)
			crc = crc >> 8 ^ table[(crc ^ data[i]) & 255];
	return report(~crc);
}
