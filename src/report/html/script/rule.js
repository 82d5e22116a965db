/** The page of a rule: its reason, its sources, and the cases that break it. */

/** @param {string} id @returns {Node[]} */
function rulePage(id) {
    const rule = index.rules[id];
    const breaking = index.cases.filter((one) => one.results.some((result) => result?.findings.some((breach) => breach.rule === id)));
    breaking.sort(byVerdict);
    return [
        el("nav.back", {}, el("a", { href: addressOf(list.filter), id: "back" }, "← All cases")),
        el("header.top", {}, el("h1.case", {}, el("span.id", {}, id), " ", el("small", {}, rule ? rule.level : "not a rule of this version")), rule && el("p.title", {}, rule.title)),
        rule && [
            el("p", {}, el("b", {}, "Why: "), rule.reason),
            rule.references.length > 0 && el("p", {}, el("b", {}, "Sources: "), references(rule)),
            rule.questions.map(([key, asks]) => el("p", {}, el("b", {}, "Policy "), el("code", {}, key), ` decides: ${asks}`)),
            rule.timing && el("p", {}, "It depends on timing: a case that breaks it runs again alone before it is a finding."),
            copyable("In a terminal", `upfault explain ${id}`),
        ],
        gatewaysOfRule(id),
        el(
            "section",
            { "aria-labelledby": "breaking" },
            el("h2", { id: "breaking" }, breaking.length ? `Broken in ${plural(breaking.length, "case")}` : "No case breaks it"),
            el("ol.list", { id: "list" }, breaking.map((one) => breakingLine(one, id))),
        ),
        keyHelp(),
    ];
}

/** @param {Case} one */
function breakingLine(one, id) {
    const result = lastResult(one);
    const breach = result.findings.find((breach) => breach.rule === id) ?? one.results.flatMap((result) => result?.findings ?? []).find((breach) => breach.rule === id);
    return el(
        "li",
        {},
        el("a.line", { href: caseAddress(one.id, index.matrix && one.results.findIndex((result) => result?.findings.includes(breach))), "data-case": one.id }, el("span.marks", {}, mark(result.verdict)), el("span.id", {}, one.id), el("span.title", {}, breach.level === "required" ? "" : breach.level), el("span.why", {}, breach.observed), el("span.ms", {}, duration(result.ms))),
    );
}

/** The sources of a rule, as links if they have an address. @param {Rule} rule */
function references(rule) {
    const link = (text) => {
        const issue = /^([\w.-]+\/[\w.-]+)#(\d+)$/.exec(text);
        const rfc = /^RFC (\d+)(?: section ([\d.]+))?$/.exec(text);
        const address = issue
            ? `https://github.com/${issue[1]}/issues/${issue[2]}`
            : rfc
              ? `https://www.rfc-editor.org/rfc/rfc${rfc[1]}.html${rfc[2] ? `#section-${rfc[2]}` : ""}`
              : text.startsWith("https://")
                ? text
                : null;
        return address ? el("a", { href: address, rel: "noreferrer noopener" }, text) : text;
    };
    return el("span.references", {}, rule.references.map((text, n) => [n > 0 && ", ", link(text)]));
}
