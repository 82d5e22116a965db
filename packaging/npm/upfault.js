#!/usr/bin/env node
// Runs the program `upfault`, which is in the optional dependency for this platform.
"use strict";
const { spawn } = require("node:child_process");
const { constants } = require("node:os");

// Packages by operating system and processor; on Linux also by C library.
const PACKAGES = require("./packages.json");

function platform() {
  const parts = [process.platform, process.arch];
  if (process.platform === "linux") {
    // Node names the version of glibc it runs with. Other C libraries have no such entry.
    parts.push(process.report.getReport().header.glibcVersionRuntime ? "glibc" : "musl");
  }
  return parts.join("-");
}

function program() {
  const name = PACKAGES[platform()];
  if (!name) {
    const known = Object.keys(PACKAGES).join(", ");
    throw new Error(`there is no package of upfault for ${platform()}, only for ${known}\n` +
      "help: `cargo install --locked upfault` builds it from source");
  }
  try {
    return require.resolve(`${name}/upfault${process.platform === "win32" ? ".exe" : ""}`);
  } catch {
    throw new Error(`the package ${name}, which contains the program, is not installed\n` +
      "help: install again without `--omit=optional` and `--no-optional`, on the same platform on which upfault runs");
  }
}

let child;
try {
  child = spawn(program(), process.argv.slice(2), { stdio: "inherit" });
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exit(4);
}
// Ctrl-C reaches both processes. The program stops its gateway and chooses the exit code, so this process waits for it.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) {
  process.on(signal, () => child.kill(signal));
}
child.on("error", (error) => {
  console.error(`error: cannot start ${child.spawnfile}: ${error.message}`);
  process.exit(4);
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
