/** The address decides what is shown. */

/** The case to which the focus returns after its page. */
let lastCase = null;
/** Increases with every page, so that a page that was read too late is not shown. */
let pages = 0;

async function show() {
    pages += 1;
    const own = pages;
    const hash = location.hash.replace(/^#\/?/, "");
    const [path, query] = hash.split(/\?(.*)/s);
    const [kind, ...rest] = path.split("/");
    const id = decoded(rest.join("/"));
    const page = document.getElementById("page");
    if (kind === "" && page.dataset.kind === "overview") {
        list.filter = filterOf(query);
        refresh();
        document.getElementById("cases").scrollIntoView();
        return;
    }
    let nodes;
    if (kind === "case" && caseById.has(id)) {
        const one = caseById.get(id);
        const wanted = Number(new URLSearchParams(query).get("run") ?? index.runs.length - 1);
        const run = one.results[wanted] ? wanted : one.results.findLastIndex((result) => result !== null);
        if (!list.cases.length) list.cases = matching(list.filter).sort(byVerdict);
        lastCase = id;
        nodes = await casePage(one, run);
    } else if (kind === "rule") {
        nodes = rulePage(id);
    } else if (kind === "case") {
        nodes = [el("p.warning", {}, `This report contains no case ${id}.`), el("p", {}, el("a", { href: "#/", id: "back" }, "Show all cases"))];
    } else {
        nodes = overview(filterOf(query));
    }
    if (own !== pages) return;
    const overviewIsNext = kind !== "case" && kind !== "rule";
    page.dataset.kind = overviewIsNext ? "overview" : kind;
    page.replaceChildren();
    append(page, nodes);
    document.title = `${id ? `${id} · ` : ""}upfault: ${index.runs.map((run) => run.proxy).join(", ")}`;
    if (overviewIsNext) {
        overviewReady();
        if (!focusCase(lastCase) && query) document.getElementById("cases").scrollIntoView();
    } else {
        scrollTo(0, 0);
        page.focus();
    }
}

function decoded(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

/** Moves the focus to the line of a case. Returns whether the list contains it. */
function focusCase(id) {
    const at = list.cases.findIndex((one) => one.id === id);
    if (at < 0) return false;
    while (list.shown <= at) showMore();
    const line = lines()[at];
    line.focus();
    line.scrollIntoView({ block: "center" });
    return true;
}

/** The lines of the list, as far as they are shown. @returns {HTMLElement[]} */
const lines = () => [...document.querySelectorAll("#list a.line")];

function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(?:INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
    const search = document.getElementById("search");
    if (event.key === "/" && !typing) {
        event.preventDefault();
        if (!search) location.hash = addressOf(list.filter);
        setTimeout(() => document.getElementById("search")?.select());
    } else if (event.key === "Escape") {
        if (typing && search?.value) {
            search.value = "";
            filterByText("");
        } else if (typing) document.activeElement.blur();
        else document.getElementById("back")?.click();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        if (typing && document.activeElement !== search) return;
        if (document.activeElement?.closest(".scrolls, pre, .events")) return;
        if (moveInList(event.key === "ArrowDown" ? 1 : -1)) event.preventDefault();
    } else if (event.key === "Enter" && document.activeElement === search) {
        lines()[0]?.click();
    } else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && !typing) {
        if (document.activeElement?.closest(".scrolls, pre, .events")) return;
        document.getElementById(event.key === "ArrowLeft" ? "previous" : "next")?.click();
    }
}

/**
 * Moves the focus by one line. The search field leads into the list, and so does the page while the list can be seen:
 * otherwise the arrow keys scroll. Returns whether the focus moved.
 */
function moveInList(by) {
    const all = lines();
    const focused = document.activeElement;
    const at = all.indexOf(focused);
    if (at < 0) {
        const onPage = ["BODY", "MAIN"].includes(focused?.tagName) && all[0]?.getBoundingClientRect().top < innerHeight;
        if (by < 0 || !(focused?.id === "search" || onPage)) return false;
    }
    if (at + by >= all.length && list.shown < list.cases.length && document.getElementById("end")) showMore();
    const next = at + by < 0 ? document.getElementById("search") : lines()[at + by];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
    return Boolean(next);
}

async function start() {
    try {
        await readIndex();
    } catch (error) {
        const page = document.getElementById("page");
        page.replaceChildren(el("p.warning", {}, `The report cannot be read: ${error}. The file may be incomplete, or the browser too old: the page needs one from June 2023 or newer.`));
        return;
    }
    addEventListener("hashchange", show);
    addEventListener("keydown", onKey);
    await show();
    // After the next frame, everything is drawn and reacts.
    requestAnimationFrame(() => setTimeout(() => (document.documentElement.dataset.ready = performance.now().toFixed(0))));
}

start();
