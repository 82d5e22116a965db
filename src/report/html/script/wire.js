/** Both sides of the wire on one time line. */

/** The bars of all requests on a common scale: what happened at the same time is below each other. */
function timeScale(steps) {
    const attempts = steps.flatMap((step) => listed(step.attempts));
    const ends = [...steps.map((step) => step.end_ms), ...attempts.map((attempt) => attempt.end_ms ?? attempt.at_ms)];
    const [from, to] = [Math.min(...steps.map((step) => step.sent_ms)), Math.max(...ends, 1)];
    const place = (ms) => `${(100 * Math.max(0, ms - from)) / Math.max(to - from, 0.001)}%`;
    const bar = (start, end, kind, label, target) => {
        const button = el(`button.bar.${kind}`, { type: "button", title: `${label}: ${duration(start)} to ${duration(end)}`, onclick: () => reveal(target) }, el("span", {}, label));
        button.style.left = place(start);
        button.style.width = `max(3px, calc(${place(end)} - ${place(start)}))`;
        return button;
    };
    const lane = (name, bars) => el("div.lane", {}, el("span.lane-name", {}, name), el("div.track", {}, bars));
    const byDeployment = new Map();
    for (const attempt of attempts) {
        const name = attempt.name.slice(0, attempt.name.lastIndexOf("#"));
        if (!byDeployment.has(name)) byDeployment.set(name, []);
        byDeployment.get(name).push(attempt);
    }
    const status = (message) => (message ? message.line.text : "no response");
    return el(
        "div.scale",
        { role: "group", "aria-label": "Time line of all requests" },
        lane("client ⇄ proxy", steps.map((step) => bar(step.sent_ms, step.end_ms, isBad(step.response) ? "bad" : "good", `${step.name}: ${status(step.response)}`, step))),
        [...byDeployment].map(([name, attempts]) =>
            lane(`proxy ⇄ ${name}`, attempts.map((attempt) => bar(attempt.at_ms, attempt.end_ms ?? to, isBad(attempt.reply) ? "bad" : "good", `${attempt.name.slice(name.length)}: ${status(attempt.reply)}`, attempt))),
        ),
        el("div.lane", {}, el("span.lane-name", {}, ""), el("div.track.ticks", {}, [0, 0.25, 0.5, 0.75, 1].map((part) => tick(from + part * (to - from), place)))),
    );
}

function tick(ms, place) {
    const node = el("span.tick", {}, duration(ms));
    node.style.left = place(ms);
    return node;
}

const listed = (list) => [...list.first, ...(list.last ?? [])];

/** @param message  null if there was no response */
const isBad = (message) => !message || !/^[123]\d\d$/.test(message.line.text);

/** The messages of a step or an attempt, by its data. @type {WeakMap<object, HTMLElement>} */
const boxes = new WeakMap();

function reveal(target) {
    const box = boxes.get(target);
    box?.scrollIntoView({ block: "center" });
    box?.focus();
}

/** The messages of a step in the order of time: those of the client on the left, those of the upstreams on the right. */
function messages(step) {
    const rows = [];
    const add = (at, side, node) => rows.push({ at, side, node });
    add(step.sent_ms, "client", message("client → proxy", step.request, { from: step.sent_ms, notes: step.notes, owner: step }));
    for (const attempt of listed(step.attempts)) {
        if (attempt.request) add(attempt.at_ms, "upstream", message(`proxy → ${attempt.name}`, attempt.request, { from: attempt.at_ms, owner: attempt }));
        else add(attempt.at_ms, "upstream", bare(`proxy → ${attempt.name}`, "a connection without a request", attempt.at_ms, attempt));
        // Only the end of a reply was recorded. A stream begins long before that.
        add(attempt.reply.events ? attempt.at_ms : (attempt.end_ms ?? attempt.at_ms), "upstream", message(`${attempt.name} → proxy`, attempt.reply, { until: attempt.end_ms, notes: [attempt.ending], open: true }));
    }
    if (step.attempts.more) add(listed(step.attempts).at(-1).at_ms, "upstream", el("p.left-out", {}, `… ${step.attempts.more} more attempts are not in this page …`));
    if (!step.attempts.first.length) add(step.sent_ms, "upstream", el("p.none", {}, "no request reached an upstream"));
    if (step.response) add(step.head_ms, "client", message("proxy → client", step.response, { from: step.head_ms, until: step.end_ms, notes: [step.ending], open: true }));
    else add(step.end_ms, "client", bare("proxy → client", step.ending, step.end_ms));
    rows.forEach((row, n) => (row.n = n));
    rows.sort((a, b) => a.at - b.at || a.n - b.n);
    let last = step.sent_ms;
    return el(
        "div.sequence",
        { role: "list" },
        el("div.lanes", { "aria-hidden": "true" }, el("span", {}, "client ⇄ proxy"), el("span", {}, "proxy ⇄ upstream")),
        rows.map(({ at, side, node }) => {
            const gap = at - last >= 100 ? el("p.gap", {}, `${duration(at - last)} later`) : null;
            last = Math.max(last, at);
            return [gap, el(`div.row.${side}`, { role: "listitem" }, node)];
        }),
    );
}

/** A message without content. */
function bare(direction, text, at, owner) {
    const box = el("div.message", { tabindex: "-1" }, el("p.line", {}, el("span.direction", {}, direction), el("b", {}, text), el("time", {}, duration(at))));
    if (owner) boxes.set(owner, box);
    return box;
}

function message(direction, content, { from, until, notes = [], open = false, owner }) {
    const times = [from, until].filter((ms) => ms !== undefined && ms !== null).map(duration);
    const time = from === undefined ? (times.length ? `until ${times[0]}` : "still open") : times.join(" to ");
    const body = content.events ? events(content.events) : content.body.text || content.body.more ? bodyOf(content.body) : el("p.none", {}, "no body");
    const status = /^\d{3}$/.test(content.line.text) ? (isBad(content) ? ".bad" : ".good") : "";
    const box = el(
        "div.message",
        { tabindex: "-1" },
        el("p.line", {}, el("span.direction", {}, direction), el(`b${status}`, {}, wireLine(content.line)), el("time", {}, time)),
        notes.map((note) => el("p.note", {}, note)),
        el("details", { open }, el("summary", {}, open ? "headers and body" : "headers and body of the request"), headers(content), body),
    );
    if (owner) boxes.set(owner, box);
    return box;
}

/** The headers: those that a caller can use first, the others folded. */
function headers(content) {
    const line = ([name, value]) => el("li", {}, el("span.name", {}, wireLine(name)), ": ", wireLine(value));
    const all = wireItems(content.headers, line, "headers");
    if (!all.length) return null;
    const first = all.slice(0, content.meaningful);
    const rest = all.slice(content.meaningful);
    return [
        first.length > 0 && el("ul.headers", {}, first),
        rest.length > 0 && el("details.more", {}, el("summary", {}, plural(rest.length, first.length ? "other header" : "header")), el("ul.headers", {}, rest)),
    ];
}

/** A body. JSON is indented. @param {WireText} body */
function bodyOf(body) {
    let text = body.text;
    try {
        if (!body.more && /^\s*[[{]/.test(text)) text = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
        // It is not JSON and is shown as it is.
    }
    return el("pre.body", { tabindex: "0" }, wire(text), leftOut(body));
}

/** The events of a stream, with the times at which the caller received them. */
function events(list) {
    const line = (event) =>
        el("li", {}, event.at_ms !== undefined && el("time", {}, duration(event.at_ms)), event.event && el("b", {}, wireLine(event.event), " "), el("code", {}, wireLine(event.data)));
    return el("ol.events", { tabindex: "0" }, wireItems(list, line, "events"));
}
