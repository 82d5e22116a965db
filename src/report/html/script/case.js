/** The page of a case. */

/** @param {Case} one @param {number} run @returns {Promise<Node[]>} */
async function casePage(one, run) {
    const result = one.results[run];
    const { detail, source } = await readCase(one, run);
    const steps = detail.steps ?? [];
    return [
        el("nav.back", {}, el("a", { href: addressOf(list.filter), id: "back" }, "← All cases"), neighbours(one)),
        el("header.top", {}, el("h1.case", {}, badge(result.verdict), " ", el("span.id", {}, one.id)), el("p.title", {}, detail.title), el("p.why", {}, detail.why)),
        runTabs(one, run),
        el("dl.facts", {}, fact("provider", one.provider), fact("API", one.api), fact("stream", one.stream ? "yes" : "no"), fact("scenario", detail.file), fact("duration", duration(result.ms)), fact("link", copyLink())),
        detail.reason && el("p.warning", {}, el("b", {}, `${result.verdict}: `), wireLine(detail.reason)),
        detail.speedup && el("p.note", {}, el("b", {}, "Speedup: "), detail.speedup),
        findingsOf(detail, (rule) => countedAs(one, run, rule)),
        detail.change && changeOf(detail.change),
        detail.steps ? wireOf(steps) : noTraffic(result),
        reproduction(one, detail, source, steps),
        keyHelp(),
    ];
}

const fact = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));

function copyLink() {
    const button = el("button.copy", { type: "button", onclick: copy }, "Copy the link");
    async function copy() {
        try {
            await navigator.clipboard.writeText(location.href);
            button.textContent = "Copied";
        } catch {
            button.textContent = "Copy it from the address bar";
        }
    }
    return button;
}

/** Links to the previous and the next case of the list. @param {Case} one */
function neighbours(one) {
    const at = list.cases.indexOf(one);
    if (at < 0) return null;
    const link = (id, other, text) => other && el("a", { href: caseAddress(other.id), id, title: other.id }, text);
    return el("span", {}, link("previous", list.cases[at - 1], "← previous"), ` ${at + 1} of ${list.cases.length} `, link("next", list.cases[at + 1], "next →"));
}

/** @param {Case} one */
function runTabs(one, run) {
    if (index.runs.length < 2) return null;
    const tab = (other, n) =>
        one.results[n] && el("a.tab", { href: caseAddress(one.id, n), "aria-current": n === run ? "page" : null }, mark(one.results[n].verdict), " ", other.proxy);
    return el("nav.tabs", { "aria-label": "Runs" }, index.runs.map(tab));
}

/** `countedOf` says whether the finding of a rule counts. */
function findingsOf(detail, countedOf) {
    if (!detail.findings.length) return null;
    const advice = detail.findings.filter((finding) => finding.level !== "required");
    const required = detail.findings.filter((finding) => finding.level === "required");
    // Findings of a case often share their evidence: each line is shown once.
    const shown = new Set();
    const boxOf = (finding) => findingBox(finding, shown, countedOf(finding.rule));
    return el(
        "section",
        { "aria-labelledby": "findings" },
        el("h2", { id: "findings" }, required.length ? "Broken rules" : "Advice"),
        required.map(boxOf),
        required.length && advice.length
            ? el("details.group", {}, el("summary", {}, plural(advice.length, "broken recommendation")), advice.map(boxOf))
            : advice.map(boxOf),
    );
}

/**
 * A finding: expected and observed side by side, with the difference marked, and the rule's reason. `shown` contains the
 * evidence of the findings before it; `counted` says whether the finding counts.
 */
function findingBox(finding, shown, counted) {
    const rule = index.rules[finding.rule];
    if (finding.repeats) {
        const link = (id) => el("a.rule", { href: ruleAddress(id) }, id);
        const line = ["expected ", wireLine(finding.expected), "; see ", link(finding.repeats)];
        return el(`article.finding.${finding.level}`, {}, el("h3", {}, link(finding.rule), " ", el("small", {}, finding.level)), el("p", {}, line));
    }
    const [expected, observed] = differing(finding.expected.text, finding.observed.text);
    const marks = [finding.level, finding.new && "new", finding.policy && `by ${finding.policy}`].filter(Boolean).join(", ");
    const isNew = (line) => !shown.has(line.text) && shown.add(line.text);
    const lines = { ...finding.evidence, first: finding.evidence.first.filter(isNew) };
    const evidence = wireItems(lines, (line) => el("li", {}, wireLine(line)), "lines");
    return el(
        `article.finding.${finding.level}`,
        {},
        el("h3", {}, el("a.rule", { href: ruleAddress(finding.rule) }, finding.rule), " ", el("small", {}, marks)),
        rule && el("p.title", {}, rule.title),
        el("div.sides", {}, el("div.expected", {}, el("h4", {}, "expected"), el("p", {}, expected, leftOut(finding.expected))), el("div.observed", {}, el("h4", {}, "observed"), el("p", {}, observed, leftOut(finding.observed)))),
        counted && el("p.note", {}, counted),
        evidence.length > 0 && el("ul.evidence", {}, evidence),
        rule && el("p.reason", {}, el("b", {}, "Why: "), rule.reason, rule.references.length > 0 && [" ", references(rule)]),
    );
}

function changeOf(change) {
    const kind = (line) => (line.startsWith("+") ? "ins.added" : line.startsWith("-") ? "del.removed" : "span");
    return el(
        "section",
        { "aria-labelledby": "change" },
        el("h2", { id: "change" }, "Difference from the accepted snapshot"),
        change.gone.map((rule) => el("p", {}, "no longer broken: ", el("a.rule", { href: ruleAddress(rule) }, rule))),
        change.eased.map((text) => el("p", {}, "accepted, and not required now: ", text)),
        change.diff.text && el("pre.diff", { tabindex: "0" }, change.diff.text.split("\n").map((line) => el(kind(line), {}, `${line}\n`)), leftOut(change.diff)),
    );
}

function wireOf(steps) {
    if (!steps.length) return null;
    return el(
        "section",
        { "aria-labelledby": "wire" },
        el("h2", { id: "wire" }, "On the wire"),
        timeScale(steps),
        steps.map((step) => stepOf(step, steps.some(isNotable) ? isNotable(step) : step.name !== "recovery")),
    );
}

/** Whether something went wrong in a step, on either side. */
const isNotable = (step) => isBad(step.response) || step.ending !== "complete" || listed(step.attempts).some((attempt) => isBad(attempt.reply));

function stepOf(step, open) {
    const summary = `${step.response?.line.text ?? "no response"} · ${step.ending} · ${duration(step.end_ms - step.sent_ms)}`;
    return el("details.step", { open }, el("summary", {}, el("h3", {}, step.name), el("small", {}, summary)), messages(step), step.origin && originOf(step.origin), sdksOf(step.sdks));
}

function noTraffic(result) {
    const why =
        result.verdict === "skipped" || result.verdict === "broken"
            ? "The case did not run, so there is no traffic."
            : index.matrix
              ? "A page about several gateways contains the traffic only of cases in which a gateway breaks a required rule."
              : "The report from which this page was made does not contain the traffic of this case: the format json leaves it out for a case that passes. The format json-full contains it.";
    return el("section", {}, el("h2", {}, "On the wire"), el("p.none", {}, why));
}

const FATES = { kept: "=", moved: "→", changed: "≠", "in the message": "…", lost: "✗", leaked: "!" };

/** The source of an error, and what became of each detail of the provider's error. */
function originOf(origin) {
    const row = (traced) =>
        el(`tr.${traced.fate.replaceAll(" ", "-")}`, {}, el("th", { scope: "row" }, wireLine(traced.detail)), el("td", {}, wireLine(traced.sent)), el("td.fate", {}, el("b", {}, FATES[traced.fate]), ` ${traced.fate}`), el("td", {}, traced.now && wireLine(traced.now)));
    return el(
        "div.origin",
        {},
        el("h4", {}, "Error source"),
        el("p", {}, wireLine(origin.source)),
        origin.details.length > 0 && [
            el("h4", {}, "Fate of the provider's details", origin.of_last && " (of the last upstream that failed)"),
            el("div.scrolls", {}, el("table.fates", {}, el("thead", {}, el("tr", {}, ["detail", "upstream sent", "fate", "now"].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, origin.details.map(row)))),
        ],
    );
}

function sdksOf(sdks) {
    if (!sdks.length) return null;
    const row = (sdk) => el(sdk.silent ? "tr.silent" : "tr", {}, el("th", { scope: "row" }, sdk.sdk), el("td", {}, sdk.silent && "⚠ ", sdk.outcome));
    return el("div.sdks", {}, el("h4", {}, "What a program with an official SDK sees"), el("table", {}, el("tbody", {}, sdks.map(row))));
}

/** Commands and the scenario, to copy. @param {Case} one */
function reproduction(one, detail, source, steps) {
    const curls = steps.filter((step) => step.name !== "recovery");
    return el(
        "section",
        { "aria-labelledby": "reproduce" },
        el("h2", { id: "reproduce" }, "Reproduce"),
        detail.again && copyable("Run this case again", detail.again),
        source ? el("details.group", { open: true }, el("summary", {}, "Scenario"), copyable(detail.file, source)) : copyable("What the scenario does", `upfault explain ${shellWord(one.id)}`),
        curls.map((step) => (step.curl ? copyable(`The request of ${step.name}, while the proxy runs`, step.curl) : el("p.none", {}, `The request of ${step.name} is too long for a command.`))),
    );
}

/** A word for a POSIX shell. */
const shellWord = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
