"use strict";

/**
 * The embedded values. `index` is read at once; a part, which contains some of the cases in full, when one of its cases
 * is opened. The Rust files index.rs, case.rs and cut.rs in src/report/html define the types.
 *
 * @typedef {{text: string, more?: number}} WireText  A text, and how many bytes of it are left out.
 * @typedef {{first: T[], more?: number, last?: T[]}} WireList  The ends of a list, and how many items are left out.
 * @template T
 *
 * @typedef {{rule: string, level: string, new?: boolean, observed: string}} Breach
 * @typedef {{verdict: string, ms: number, reason?: string, findings: Breach[], part: number}} Result
 * @typedef {{id: string, scenario: string, api: string, provider: string, stream: boolean, results: (Result|null)[]}} Case
 * @typedef {{level: string, title: string, reason: string, references: string[], timing: boolean,
 *   questions: [string, string][]}} Rule
 * @typedef {{proxy: string, policy: string, seed: number, strict: boolean, interrupted: boolean, total_ms: number,
 *   notes: string[]}} Run
 * @typedef {{upfault: string, runs: Run[], rules: Object<string, Rule>, scenarios: Object<string, string>,
 *   cases: Case[], matrix?: Object}} Index  `matrix` if the runs are those of several gateways (src/matrix).
 */

/** The verdicts, the worst first, each with the symbol that identifies it without colour. */
const VERDICTS = [
    { name: "broken", symbol: "!", means: "upfault itself failed" },
    { name: "fail", symbol: "✗", means: "breaks a required rule, and no accepted snapshot contains that" },
    { name: "changed", symbol: "≠", means: "differs from the accepted snapshot" },
    { name: "inconclusive", symbol: "?", means: "upfault could not decide" },
    { name: "known", symbol: "≈", means: "breaks a required rule as the accepted snapshot says" },
    { name: "skipped", symbol: "−", means: "the proxy cannot be configured the way the case needs" },
    { name: "pass", symbol: "✓", means: "keeps all required rules" },
];

const RANK = new Map(VERDICTS.map((verdict, rank) => [verdict.name, rank]));

/** @param {string} verdict */
const symbolOf = (verdict) => VERDICTS[RANK.get(verdict) ?? 0].symbol;

/** @type {Index} */
let index;

/** The cases by id. @type {Map<string, Case>} */
let caseById = new Map();

/** Decompresses an embedded value. @param {string} id */
async function embedded(id) {
    const text = document.getElementById(id)?.textContent ?? "";
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
}

async function readIndex() {
    index = await embedded("index");
    caseById = new Map(index.cases.map((one) => [one.id, one]));
    for (const one of index.cases) {
        one.family = one.scenario.includes("/") ? one.scenario.slice(0, one.scenario.indexOf("/")) : "(none)";
        one.searched = searchedText(one);
    }
}

/** What a search looks at. @param {Case} one */
function searchedText(one) {
    const words = [one.id, index.scenarios[one.scenario] ?? ""];
    for (const result of one.results) {
        if (!result) continue;
        words.push(result.reason ?? "");
        for (const breach of result.findings) words.push(breach.rule, breach.observed);
    }
    return words.join("\n").toLowerCase();
}

/** The part that was read last. */
let lastPart = { number: -1, value: null };

/** A case of a run in full, and the YAML of its scenario if it is known. @param {Case} one @param {number} run */
async function readCase(one, run) {
    const number = one.results[run].part;
    if (lastPart.number !== number) lastPart = { number, value: await embedded(`part-${number}`) };
    return { detail: lastPart.value.cases[one.id], source: lastPart.value.sources[one.scenario] };
}

/** The findings that decide a verdict. @param {Result} result */
const requiredOf = (result) => result.findings.filter((breach) => breach.level === "required");

/** The verdict of the last run that contains the case; of several gateways, the one that is filtered for, or the worst. @param {Case} one */
function lastResult(one) {
    if (!index.matrix) return one.results.findLast((result) => result !== null);
    const wanted = one.results.filter((result, run) => result !== null && isWanted(list.filter, run));
    const results = wanted.length ? wanted : one.results.filter((result) => result !== null);
    return results.sort((a, b) => RANK.get(a.verdict) - RANK.get(b.verdict))[0];
}
