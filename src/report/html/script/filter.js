/**
 * The chosen filters. Each is a set of values of which one must match; an empty set matches everything. They are part
 * of the address, so that a filtered list can be linked to.
 */
const FILTERS = ["gateway", "verdict", "family", "api", "provider", "stream", "rule", "change"];

/** @returns {Object<string, Set<string>> & {text: string}} */
function noFilter() {
    const filter = { text: "" };
    for (const name of FILTERS) filter[name] = new Set();
    return filter;
}

/** @param {string} query  `verdict=fail,known&text=retry` */
function filterOf(query) {
    const filter = noFilter();
    for (const [name, value] of new URLSearchParams(query)) {
        if (name === "text") filter.text = value;
        else if (FILTERS.includes(name)) filter[name] = new Set(value.split(",").filter(Boolean));
    }
    return filter;
}

/** The address of a list. */
function addressOf(filter) {
    const query = new URLSearchParams();
    for (const name of FILTERS) if (filter[name].size) query.set(name, [...filter[name]].join(","));
    if (filter.text) query.set("text", filter.text);
    return `#/?${query}`.replaceAll("%2F", "/").replaceAll("%2C", ",");
}

/** The address of a list with these filters only. @param {Object<string, string>} values */
function addressWith(values) {
    const filter = noFilter();
    for (const [name, value] of Object.entries(values)) filter[name] = new Set([value]);
    return addressOf(filter);
}

/** The addresses of a case and a rule. `run` is left out for the last one. */
const caseAddress = (id, run) => `#/case/${idInAddress(id)}${run === undefined ? "" : `?run=${run}`}`;
const ruleAddress = (id) => `#/rule/${idInAddress(id)}`;
const idInAddress = (id) => encodeURIComponent(id).replaceAll("%2F", "/").replaceAll("%2C", ",");

/** Whether a run is one of the gateways that a filter chooses. */
const isWanted = (filter, run) => !filter.gateway.size || filter.gateway.has(String(run));

/** Whether the results of a case differ between the runs. @param {Case} one */
const differs = (one) => new Set(one.results.map((result) => result?.verdict)).size > 1;

/**
 * The cases that match. `except` names filters that are not applied.
 *
 * @returns {Case[]}
 */
function matching(filter, except = []) {
    const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
    const accepts = (name, values) =>
        except.includes(name) || !filter[name].size || values.some((value) => filter[name].has(value));
    return index.cases.filter((one) => {
        const results = one.results.filter((result, run) => result !== null && isWanted(filter, run));
        return (
            results.length > 0 &&
            accepts("verdict", results.map((result) => result.verdict)) &&
            accepts("family", [one.family]) &&
            accepts("api", [one.api]) &&
            accepts("provider", [one.provider]) &&
            accepts("stream", [one.stream ? "yes" : "no"]) &&
            accepts("change", [differs(one) ? "yes" : "no"]) &&
            accepts("rule", results.flatMap((result) => result.findings.map((breach) => breach.rule))) &&
            words.every((word) => one.searched.includes(word))
        );
    });
}

/** How many cases of a run have each verdict, the worst first; verdicts without cases are left out. */
function countsOf(cases, run) {
    const counts = new Map(VERDICTS.map(({ name }) => [name, 0]));
    for (const one of cases) {
        const verdict = one.results[run]?.verdict;
        if (verdict) counts.set(verdict, counts.get(verdict) + 1);
    }
    return [...counts].filter(([, count]) => count > 0);
}
