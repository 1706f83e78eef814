// SPDX-License-Identifier: MIT
// usage: node wasi.mjs FILE.wasm [ARGUMENT]...: runs a WebAssembly program that was compiled for WASI.
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const wasi = new WASI({ version: "preview1", args: process.argv.slice(2), preopens: { "/dev": "/dev" }, returnOnExit: true });
const module = new WebAssembly.Module(readFileSync(process.argv[2]));
process.exitCode = wasi.start(new WebAssembly.Instance(module, wasi.getImportObject()));
