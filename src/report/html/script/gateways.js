/** The first page of a report about several gateways: the gateways, the rules that each of them breaks, and the cases. */

/** @param {Object} filter @returns {Node[]} */
function gatewaysOverview(filter) {
    list.filter = filter;
    const { matrix } = index;
    const rows = (required) => matrix.rows.filter((row) => row.is_required === required);
    const about = [`policy ${matrix.policy}`, matrix.seed !== null && `seed ${matrix.seed}`, `upfault ${index.upfault}`];
    return [
        el("header.top", {}, el("h1", {}, plural(matrix.gateways.length, "gateway"), " ", el("small", {}, "upfault matrix")), el("p.about", {}, about.filter(Boolean).join(" · "))),
        index.runs.flatMap((run) => run.notes.map((note) => el("p.warning", {}, `${run.proxy}: ${note}`))),
        el("section", { "aria-labelledby": "gateways" }, el("h2", { id: "gateways" }, "Gateways"), scrolling("Gateways", gatewayTable())),
        el("section", { "aria-labelledby": "required" }, el("h2", { id: "required" }, "Required rules"), gatewayLegend(), scrolling("Required rules and gateways", ruleTable(rows(true), "required"))),
        el(
            "details.group",
            {},
            el("summary", { id: "recommended" }, `Recommended rules (${rows(false).length})`),
            el("p.note", {}, "There are reasons for and against these rules. A number is not a defect."),
            scrolling("Recommended rules and gateways", ruleTable(rows(false), "recommended")),
        ),
        casesSection(),
        keyHelp(),
    ];
}

/** A table can be wider than the screen. */
const scrolling = (name, table) => el("div.scrolls", { tabindex: "0", role: "region", "aria-label": name }, table);

const gatewayTitle = (gateway) => [gateway.name, gateway.version].filter(Boolean).join(" ");

/** The run of a gateway; null if it was not run. */
const runOf = (n) => index.matrix.runs[n] ?? null;

/** The gateway of a run. */
const gatewayOf = (run) => index.matrix.runs.indexOf(run);

function gatewayTable() {
    const sum = (reasons) => reasons.reduce((sum, [, cases]) => sum + cases, 0);
    const linked = (n, count, verdict) => (count > 0 ? el("a", { href: addressWith({ gateway: String(runOf(n)), verdict }) }, count.toLocaleString("en")) : "0");
    const counts = (gateway, n) => [
        el("td", {}, gateway.judged.toLocaleString("en")),
        el("td", {}, gateway.broken.toLocaleString("en")),
        el("td", {}, linked(n, sum(gateway.skipped), "skipped")),
        el("td", {}, linked(n, sum(gateway.unclear), "inconclusive")),
    ];
    const row = (gateway, n) =>
        el(
            "tr",
            {},
            el("th", { scope: "row" }, gatewayTitle(gateway), n === 0 && el("small", {}, " control")),
            el("td", {}, gateway.language || "–"),
            el("td", {}, gateway.day || "–"),
            gateway.not_run === null ? counts(gateway, n) : el("td.not-run", { colspan: 4 }, el("b", {}, "not run: "), gateway.not_run),
        );
    const heads = ["gateway", "language", "results of", "judged cases", "break a required rule", "skipped", "no judgement"];
    return el("table.gateways", {}, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, index.matrix.gateways.map(row)));
}

/** The states of a cell, each with its colour, its symbol and its meaning. */
const CELL_STATES = {
    broken: ["fail", "✗", "cases that break the rule in every run, of the judged cases to which it applies; the control keeps it"],
    unconfirmed: ["inconclusive", "?", "cases that break it only in some runs, or only like the control"],
    kept: ["pass", "✓", "no judged case breaks it"],
    "not-run": ["not-run", "", "no case to which the rule applies was judged: this says nothing about the gateway"],
};

function cellState(cell) {
    if (!cell.judged) return "not-run";
    if (cell.broken.length) return "broken";
    return cell.unconfirmed.length || cell.refuted.length ? "unconfirmed" : "kept";
}

const gatewayLegend = () =>
    el(
        "ul.legend",
        {},
        Object.entries(CELL_STATES).map(([state, [colour, symbol, means]]) => el("li", {}, el(`span.badge.${colour}`, {}, symbol && el("b", {}, symbol), state === "not-run" ? "not run" : ""), ` ${means}`)),
    );

/** A row for each rule, below the name of its family. */
function ruleTable(rows, level) {
    const { gateways } = index.matrix;
    const body = [];
    let family = null;
    for (const row of rows) {
        const own = row.rule.split(".")[0];
        if (own !== family) {
            family = own;
            body.push(el("tr.family", {}, el("th", { scope: "rowgroup", colspan: gateways.length + 1 }, own)));
        }
        const cells = row.cells.map((cell, n) => ruleCell(row, cell, n));
        body.push(el("tr", {}, el("th", { scope: "row" }, el("a.rule", { href: ruleAddress(row.rule), title: row.title }, row.rule)), cells));
    }
    const heads = gateways.map((gateway, n) => el("th", { scope: "col" }, gateway.name, el("small", {}, n === 0 ? " control" : ` ${gateway.version}`)));
    return el(`table.matrix.rules.${level}`, {}, el("thead", {}, el("tr", {}, el("td"), heads)), el("tbody", {}, body));
}

function ruleCell(row, cell, n) {
    const state = cellState(cell);
    const [colour, symbol, means] = CELL_STATES[state];
    if (state === "not-run") return el("td.not-run", { title: means }, "not run");
    const count = state === "unconfirmed" ? cell.unconfirmed.length + cell.refuted.length : cell.broken.length;
    const fresh = cell.broken.length - cell.known;
    const words = `${row.rule}, ${gatewayTitle(index.matrix.gateways[n])}: ${count} of ${plural(cell.judged, "case")}${fresh ? `, ${fresh} not in the accepted snapshots` : ""}`;
    const text = [el("b", {}, symbol), `\u00a0${count}/${cell.judged}`];
    const named = row.is_required ? colour : count ? "changed" : colour;
    if (!count) return el(`td.${named}`, { title: words }, el("span.cell", {}, text));
    return el(`td.${named}`, { title: words }, el("a.cell", { href: addressWith({ gateway: String(runOf(n)), rule: row.rule }), "aria-label": words }, text));
}

/** Whether a finding of a case counts, as a sentence; null in a report about one gateway. @param {Case} one */
function countedAs(one, run, rule) {
    const row = index.matrix?.rows.find((row) => row.rule === rule);
    const n = index.matrix ? gatewayOf(run) : -1;
    if (!row || n < 0) return null;
    const cell = row.cells[n];
    const unsure = cell.unconfirmed.find((unsure) => unsure.case === one.id);
    if (unsure) return `Not counted: the case broke the rule in ${unsure.found} of ${unsure.runs} runs.`;
    if (cell.refuted.includes(one.id)) return "Not counted: the control breaks the rule in this case too.";
    if (!cell.broken.includes(one.id)) return null;
    const runs = index.matrix.gateways[n].runs;
    const always = `The case broke the rule in ${runs} of ${runs} ${runs === 1 ? "run" : "runs"}.`;
    if (n === 0) return always;
    const control = one.results[runOf(0) ?? -1];
    const judged = control && !["skipped", "inconclusive", "broken"].includes(control.verdict);
    return `${always} ${judged ? "The control keeps it: see its tab above." : "The control did not run this case."}`;
}

/** The cells of a rule, for its page. */
function gatewaysOfRule(id) {
    const row = index.matrix?.rows.find((row) => row.rule === id);
    if (!row) return null;
    return el("section", { "aria-labelledby": "by-gateway" }, el("h2", { id: "by-gateway" }, "Gateways"), scrolling("The rule and the gateways", ruleTable([row], "required")));
}
