// SPDX-License-Identifier: MIT
// usage: node instances.mjs COUNT      WebAssembly in node: "run NS" (an instance with a page of memory, one call, dropped),
// "idle BYTES" (resident, of instances that are kept, 1000 at most: each reserves much of the address space)
const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 7, 1, 3, 0x72, 0x75, 0x6e, 0, 0,
	10, 16, 1, 14, 0, 0x41, 0, 0x41, 7, 0x36, 2, 0, 0x41, 0, 0x28, 2, 0, 0x0b]);
const count = Number(process.argv[2]);
const module = new WebAssembly.Module(bytes);
const start = process.hrtime.bigint();
for (let i = 0; i < count; i++)
	if (new WebAssembly.Instance(module).exports.run() !== 7)
		process.exit(1);
console.log('run', Number((process.hrtime.bigint() - start) / BigInt(count)));
const kept = [], most = Math.min(count, 1000), before = process.memoryUsage().rss;
for (let i = 0; i < most; i++) {
	kept.push(new WebAssembly.Instance(module));
	kept[i].exports.run();
}
console.log('idle', Math.round((process.memoryUsage().rss - before) / most));
