/** The first page: the verdicts, the causes, the matrix, and the list of cases. */

/** The list shows this many cases, and as many more each time its end is reached. */
const BATCH = 100;

/** What the list shows: the filter, the matching cases, and how many of them are shown. */
const list = { filter: noFilter(), cases: [], shown: 0 };

/** @returns {Node[]} */
function overview(filter) {
    if (index.matrix) return gatewaysOverview(filter);
    list.filter = filter;
    const run = index.runs.length - 1;
    return [
        runHeading(),
        verdictButtons(),
        el("section.causes", { "aria-labelledby": "causes" }, causesOf(run)),
        el("section", { "aria-labelledby": "matrix" }, el("h2", { id: "matrix" }, "Families and APIs"), legend(), matrixBox()),
        casesSection(),
        keyHelp(),
    ];
}

/** The filters and the list, which is still empty. */
const casesSection = () =>
    el(
        "section.cases",
        { "aria-labelledby": "cases" },
        el("h2", { id: "cases" }, "Cases ", el("span.count", { id: "count", role: "status" })),
        filterBar(),
        el("ol.list", { id: "list" }),
        el("div", { id: "end" }),
    );

/** Fills the list and the matrix, and watches the end of the list. */
function overviewReady() {
    refresh();
    new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && showMore()).observe(
        document.getElementById("end"),
    );
}

function runHeading() {
    const last = index.runs.at(-1);
    const names = index.runs.map((run) => run.proxy).join(" → ");
    const about = [`policy ${last.policy}`, `seed ${last.seed}`, `${duration(last.total_ms)}`, `upfault ${index.upfault}`];
    if (last.strict) about.push("strict: known findings fail");
    return el(
        "header.top",
        {},
        el("h1", {}, names, " ", el("small", {}, "upfault report")),
        el("p.about", {}, about.join(" · ")),
        index.runs.flatMap((run) => [
            run.interrupted && el("p.warning", {}, `The run of ${run.proxy} was interrupted: cases are missing.`),
            run.notes.map((note) => el("p.warning", {}, `${run.proxy}: ${note}`)),
        ]),
    );
}

/** One button for each verdict, with its number of cases in each run. */
function verdictButtons() {
    const counts = index.runs.map((_, run) => new Map(countsOf(index.cases, run)));
    const buttons = VERDICTS.filter(({ name }) => counts.some((count) => count.has(name))).map(({ name, symbol, means }) =>
        el(
            `button.verdict.${name}`,
            { type: "button", title: means, "data-verdict": name, "aria-pressed": "false", onclick: () => toggle("verdict", name) },
            el("b", {}, symbol),
            el("span.number", {}, counts.map((count) => (count.get(name) ?? 0).toLocaleString("en")).join(" → ")),
            ` ${name}`,
        ),
    );
    return el("nav.verdicts", { "aria-label": "Filter by verdict" }, buttons);
}

/** Why cases did not pass, grouped by verdict and by rule or reason. */
function causesOf(run) {
    const groups = new Map(VERDICTS.map(({ name }) => [name, new Map()]));
    const advice = new Map();
    const add = (group, key, one, cause) => {
        if (!group.has(key)) group.set(key, { cases: new Set(), ...cause });
        group.get(key).cases.add(one.id);
    };
    for (const one of index.cases) {
        const result = one.results[run];
        if (!result) continue;
        const required = requiredOf(result);
        const someNew = required.some((breach) => breach.new);
        for (const breach of result.findings) {
            const cause = { rule: breach.rule, example: breach.observed };
            if (breach.level !== "required") add(advice, breach.rule, one, cause);
            else add(groups.get(someNew && !breach.new ? "known" : result.verdict), breach.rule, one, cause);
        }
        if (!required.length && result.verdict !== "pass") {
            const text = result.verdict === "changed" ? "The result differs from the accepted snapshot." : result.reason;
            add(groups.get(result.verdict), text ?? "", one, { text: text ?? "no reason given", verdict: result.verdict });
        }
    }
    const failing = ["broken", "fail", "changed"].filter((name) => groups.get(name).size);
    const name = index.runs.length > 1 ? ` with ${index.runs[run].proxy}` : "";
    const nodes = [el("h2", { id: "causes" }, failing.length ? "Why cases fail" : "No case fails", name)];
    for (const { name } of VERDICTS) {
        const group = [...groups.get(name).values()].sort((a, b) => b.cases.size - a.cases.size);
        if (!group.length) continue;
        const cases = new Set(group.flatMap((cause) => [...cause.cases])).size;
        nodes.push(
            el(
                "details.group",
                { open: failing.includes(name) || name === "inconclusive" },
                el("summary", {}, badge(name), ` ${plural(cases, "case")}, ${plural(group.length, group.some((cause) => cause.rule) ? "cause" : "reason")}`),
                el("ul", {}, group.map((cause) => causeLine(cause, name))),
            ),
        );
    }
    if (advice.size) {
        const group = [...advice.values()].sort((a, b) => b.cases.size - a.cases.size);
        nodes.push(
            el(
                "details.group",
                {},
                el("summary", {}, el("span.badge.advice", {}, el("b", {}, "·"), " advice"), ` ${plural(group.length, "recommended or informative rule")} broken; this fails no case`),
                el("ul", {}, group.map((cause) => causeLine(cause))),
            ),
        );
    }
    return nodes;
}

/** A cause: how many cases, which rule or reason, and one observed behaviour. */
function causeLine(cause, verdict) {
    const number = el("a.number", { href: addressWith(cause.rule ? { ...(verdict && { verdict }), rule: cause.rule } : { verdict }) }, plural(cause.cases.size, "case"));
    const one = cause.cases.size === 1 ? el("a", { href: caseAddress([...cause.cases][0]) }, [...cause.cases][0]) : null;
    if (!cause.rule) return el("li", {}, number, el("span", {}, cause.text, one && [" ", one]));
    const rule = index.rules[cause.rule];
    return el(
        "li",
        {},
        number,
        el("span", {}, el("a.rule", { href: ruleAddress(cause.rule) }, cause.rule), " ", rule?.title, el("small", {}, "observed: ", cause.example, one && [" in ", one])),
    );
}

/** The matrix: a row for each family, a column for each API (and run), and the verdicts as symbols and numbers. */
function matrix() {
    const cases = matching(list.filter, ["family", "api"]);
    const cells = new Map();
    for (const one of cases) {
        for (const key of [`${one.family} ${one.api}`, `${one.family} `, ` ${one.api}`, " "]) {
            if (!cells.has(key)) cells.set(key, []);
            cells.get(key).push(one);
        }
    }
    const families = [...new Set(index.cases.map((one) => one.family))].sort();
    const perApi = new Map();
    for (const one of index.cases) perApi.set(one.api, (perApi.get(one.api) ?? 0) + 1);
    const vendors = new Map();
    for (const api of [...perApi.keys()].sort()) {
        const [vendor, ...name] = api.split("/");
        if (!vendors.has(vendor)) vendors.set(vendor, []);
        vendors.get(vendor).push([api, name.join("/")]);
    }
    const total = ([, apis]) => apis.reduce((sum, [api]) => sum + perApi.get(api), 0);
    const columns = [...vendors].sort((a, b) => total(b) - total(a));
    for (const [, apis] of columns) apis.sort(([a], [b]) => perApi.get(b) - perApi.get(a));
    const apis = columns.flatMap(([, apis]) => apis.map(([api]) => api));
    const row = (family, name) =>
        el(
            "tr",
            {},
            el("th", { scope: "row" }, family ? el("a", { href: addressWith({ family }) }, name) : name),
            ["", ...apis].map((api) => cell(cells.get(`${family} ${api}`) ?? [], family, api)),
        );
    return el(
        "table.matrix",
        { "aria-labelledby": "matrix" },
        el(
            "thead",
            {},
            el("tr", {}, el("td", { rowspan: 2 }), el("th.total", { rowspan: 2, scope: "col" }, el("span", {}, "all APIs")), columns.map(([vendor, apis]) => el("th.vendor", { colspan: apis.length, scope: "colgroup" }, vendor))),
            el("tr", {}, columns.flatMap(([, apis]) => apis.map(([api, name]) => el("th.api", { scope: "col" }, el("a", { href: addressWith({ api }) }, name))))),
        ),
        el("tbody", {}, row("", "all families"), families.map((family) => row(family, family))),
    );
}

/** A cell: the verdicts of some cases. @param {Case[]} cases */
function cell(cases, family, api) {
    if (!cases.length) return el("td.empty", {}, "");
    const filter = { ...list.filter, family: new Set(family ? [family] : []), api: new Set(api ? [api] : []) };
    const runs = index.runs.map((_, run) => countsOf(cases, run));
    const worst = runs.at(-1)[0]?.[0] ?? "";
    const words = runs.at(-1).map(([verdict, count]) => `${count} ${verdict}`).join(", ");
    return el(
        `td.${worst || "none"}`,
        {},
        el(
            "a.cell",
            { href: addressOf(filter), "aria-label": `${family || "all families"}, ${api || "all APIs"}: ${words}`, title: words },
            runs.map((counts) => el("span.run", {}, counts.map(([verdict, count]) => el(`span.${verdict}`, {}, `${symbolOf(verdict)}\u00a0${count}`)))),
        ),
    );
}

/** What the symbols mean. */
const legend = () => el("p.legend", {}, "Each cell lists its verdicts: ", VERDICTS.map(({ name }) => [badge(name), " "]));

/** The matrix can be wider than the screen. */
function matrixBox() {
    return el("div.scrolls", { id: "matrix-box", tabindex: "0", role: "region", "aria-label": "Matrix of families and APIs" });
}

function filterBar() {
    const values = (of) => [...new Set(index.cases.flatMap(of))].sort();
    const broken = (one) => one.results.flatMap((result) => result?.findings.map((breach) => breach.rule) ?? []);
    const choice = (name, label, options) =>
        el(
            "label",
            {},
            el("span", {}, label),
            el(
                "select",
                { "data-filter": name, onchange: (event) => choose(name, event.target.value) },
                el("option", { value: "" }, "all"),
                options.map(([value, text]) => el("option", { value }, text ?? value)),
            ),
        );
    const same = (values) => values.map((value) => [value]);
    return el(
        "form.filters",
        { role: "search", onsubmit: (event) => event.preventDefault() },
        el("label.search", {}, el("span", {}, "search ", el("kbd", {}, "/")), el("input", { type: "search", id: "search", autocomplete: "off", spellcheck: "false", placeholder: "id, title, rule, observed, reason", oninput: (event) => filterByText(event.target.value) })),
        index.matrix && choice("gateway", "gateway", index.runs.map((run, n) => [String(n), run.proxy])),
        choice("verdict", "verdict", VERDICTS.map(({ name, symbol }) => [name, `${symbol} ${name}`])),
        choice("family", "family", same(values((one) => [one.family]))),
        choice("api", "API", same(values((one) => [one.api]))),
        choice("provider", "provider", same(values((one) => [one.provider]))),
        choice("stream", "stream", [["yes", "stream"], ["no", "no stream"]]),
        choice("rule", "broken rule", same(values(broken))),
        index.runs.length > 1 && choice("change", "runs", [["yes", "differ"], ["no", "agree"]]),
        el("button.clear", { type: "button", onclick: () => go(noFilter()) }, "Clear"),
    );
}

/** Adds a value to a filter or removes it. */
function toggle(name, value) {
    const filter = { ...list.filter, [name]: new Set(list.filter[name]) };
    if (!filter[name].delete(value)) filter[name].add(value);
    go(filter);
}

function choose(name, value) {
    go({ ...list.filter, [name]: new Set(value ? [value] : []) });
}

/** Filters while the user types. The address follows without new entries in the history. */
function filterByText(text) {
    list.filter = { ...list.filter, text };
    history.replaceState(null, "", addressOf(list.filter));
    refresh();
}

function go(filter) {
    location.hash = addressOf(filter);
}

/** Shows the state of the filters, the matrix and the first cases. */
function refresh() {
    const { filter } = list;
    for (const button of document.querySelectorAll("[data-verdict]")) {
        button.setAttribute("aria-pressed", String(filter.verdict.has(button.dataset.verdict)));
    }
    for (const select of document.querySelectorAll("[data-filter]")) {
        const [value, ...more] = filter[select.dataset.filter];
        select.value = more.length ? "" : (value ?? "");
        select.classList.toggle("active", filter[select.dataset.filter].size > 0);
    }
    const input = document.getElementById("search");
    if (input !== document.activeElement) input.value = filter.text;
    document.getElementById("matrix-box")?.replaceChildren(matrix());
    list.cases = matching(filter).sort(byVerdict);
    list.shown = 0;
    document.getElementById("list").replaceChildren();
    const of = list.cases.length === index.cases.length ? "" : ` of ${index.cases.length.toLocaleString("en")}`;
    document.getElementById("count").textContent = `${list.cases.length.toLocaleString("en")}${of}`;
    if (!list.cases.length) {
        document.getElementById("list").append(el("li.nothing", {}, "No case matches. ", el("a", { href: "#/" }, "Show all cases")));
    }
    showMore();
}

/** The worst first, then by id. */
function byVerdict(a, b) {
    const rank = (one) => RANK.get(lastResult(one)?.verdict) ?? VERDICTS.length;
    return rank(a) - rank(b) || (a.id < b.id ? -1 : 1);
}

function showMore() {
    const more = list.cases.slice(list.shown, list.shown + BATCH);
    list.shown += more.length;
    document.getElementById("list").append(...more.map(caseLine));
}

/** @param {Case} one */
function caseLine(one) {
    const result = lastResult(one);
    const rules = requiredOf(result).map((breach) => breach.rule);
    const others = result.findings.length - rules.length;
    const why = rules.length ? rules.join(", ") : (result.reason ?? (result.verdict === "changed" ? "differs from the accepted snapshot" : ""));
    return el(
        "li",
        {},
        el(
            "a.line",
            { href: caseAddress(one.id, index.matrix && one.results.indexOf(result)), "data-case": one.id },
            el("span.marks", {}, one.results.map((result, run) => (result ? mark(result.verdict, index.runs.length > 1 && index.runs[run].proxy) : el("span.mark", { title: "not in this run" }, "·")))),
            el("span.id", {}, one.id),
            el("span.title", {}, index.scenarios[one.scenario]),
            el("span.why", {}, rules.length > 0 ? el("span.rule", {}, why) : why, others > 0 && el("small", {}, ` +${others} advice`)),
            el("span.ms", {}, result.verdict === "skipped" ? "" : duration(result.ms)),
        ),
    );
}

function keyHelp() {
    const keys = [["/", "search"], ["↑ ↓", "choose a case"], ["Enter", "open it"], ["← →", "previous and next case"], ["Esc", "back"]];
    return el("footer", {}, "Keys: ", keys.map(([key, does]) => [el("kbd", {}, key), ` ${does}  `]));
}
