// SPDX-License-Identifier: MIT
// The calls of calls.c, between JavaScript and WebAssembly in node: "in NS", an exported function that adds two numbers, "out NS", a round of
// a loop in WebAssembly that calls a function of JavaScript's. The module:
//   (import "h" "tick" (func $tick (param i32) (result i32)))
//   (func (export "add") (param i32 i32) (result i32) local.get 0  local.get 1  i32.add)
//   (func (export "loop") (param i32) (result i32) (local i32)
//     (loop local.get 1  call $tick  local.set 1  local.get 0  i32.const 1  i32.sub  local.tee 0  br_if 0)  local.get 1)
const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
	1, 12, 2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 2, 0x7f, 0x7f, 1, 0x7f,
	2, 10, 1, 1, 0x68, 4, 0x74, 0x69, 0x63, 0x6b, 0, 0,
	3, 3, 2, 1, 0,
	7, 14, 2, 3, 0x61, 0x64, 0x64, 0, 1, 4, 0x6c, 0x6f, 0x6f, 0x70, 0, 2,
	10, 34, 2, 7, 0, 0x20, 0, 0x20, 1, 0x6a, 0x0b,
	24, 1, 1, 0x7f, 3, 0x40, 0x20, 1, 0x10, 0, 0x21, 1, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b, 0x20, 1, 0x0b]);
const rounds = 500, calls = 2000;
let ticks = 0, sum = 0, wanted = 0;
const tick = x => {
	ticks++;
	return x + 1;
};
const { add, loop } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { h: { tick } }).exports;

function best(round) {
	let least = Infinity;
	for (let i = 0; i < rounds; i++) {
		const start = process.hrtime.bigint();
		round();
		least = Math.min(least, Number(process.hrtime.bigint() - start) / calls);
	}
	return least.toFixed(1);
}

console.log('in', best(() => {
	for (let i = 0; i < calls; i++) {
		sum += add(i & 0xff, 2);
		wanted += (i & 0xff) + 2;
	}
}));
console.log('out', best(() => loop(calls)));
if (sum !== wanted || ticks !== rounds * calls)
	process.exit(1);
