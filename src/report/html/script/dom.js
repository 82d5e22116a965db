/** Characters that are invisible, that reorder the text around them, or that control a terminal. */
const UNSEEN =
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

/** The tokens that upfault plants in the replies of upstreams: they show where a text of the provider ended up. */
const PLANTED = /(?:canary[-_](?:msg|code|type|param|hdr|txt)[-_]|req_)[a-z0-9]+-[a-z0-9]+-\d+/g;

/**
 * Creates an element. Strings become text, never markup.
 *
 * @param {string} name  `div`, `div.note`, `div.note.wide`
 * @param {Object<string, any>} [properties]  `on…` are listeners, functions stay functions, all others are attributes.
 * @param {...(Node|string|null|false|undefined|Array)} children
 */
function el(name, properties, ...children) {
    const [tag, ...classes] = name.split(".");
    const element = document.createElement(tag);
    if (classes.length) element.className = classes.join(" ");
    for (const [key, value] of Object.entries(properties ?? {})) {
        if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
        else if (value === true) element.setAttribute(key, "");
        else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
    }
    append(element, children);
    return element;
}

function append(parent, children) {
    for (const child of children) {
        if (Array.isArray(child)) append(parent, child);
        else if (child instanceof Node) parent.append(child);
        else if (child || child === 0) parent.append(visible(String(child)));
    }
}

/** Text in which each unseen character is shown by its number. @param {string} text */
function visible(text) {
    if (text.search(UNSEEN) < 0) return document.createTextNode(text);
    const fragment = document.createDocumentFragment();
    let from = 0;
    for (const found of text.matchAll(UNSEEN)) {
        const code = found[0].codePointAt(0).toString(16).padStart(2, "0");
        const mark = document.createElement("span");
        mark.className = "unseen";
        mark.textContent = found[0] === "\r" ? "\\r" : `\\u{${code}}`;
        fragment.append(text.slice(from, found.index), mark);
        from = found.index + found[0].length;
    }
    fragment.append(text.slice(from));
    return fragment;
}

/** Text from the wire: planted tokens are marked. @param {string} text */
function wire(text) {
    const parts = [];
    let from = 0;
    for (const found of text.matchAll(PLANTED)) {
        const mark = el("mark.planted", { title: "text that the upstream planted, so that it can be traced" }, found[0]);
        parts.push(text.slice(from, found.index), mark);
        from = found.index + found[0].length;
    }
    parts.push(text.slice(from));
    return parts;
}

/** The note about what is left out of a text. @param {WireText} cut */
const leftOut = (cut) =>
    cut.more ? el("span.left-out", {}, ` … ${cut.more.toLocaleString("en")} more bytes are not in this page`) : null;

/** A text of the wire in a line. @param {WireText} cut */
const wireLine = (cut) => [wire(cut.text), leftOut(cut)];

/** The items of a list with a note about those that are left out. */
function wireItems(list, show, what) {
    const items = list.first.map(show);
    if (list.more) items.push(el("li.left-out", {}, `… ${list.more} more ${what} are not in this page …`));
    return items.concat((list.last ?? []).map(show));
}

/** `12 ms`, `1.50 s`. @param {number} ms */
const duration = (ms) => (ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(2)} s`);

/** `1 case`, `2 cases`. */
const plural = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

/** A verdict as symbol and word. @param {string} verdict */
const badge = (verdict) =>
    el(`span.badge.${verdict}`, { title: VERDICTS[RANK.get(verdict)].means }, el("b", {}, symbolOf(verdict)), ` ${verdict}`);

/** A verdict as its symbol alone. @param {string} verdict @param {string|false} [of]  The proxy, if there are several. */
function mark(verdict, of) {
    const words = of ? `${of}: ${verdict}` : verdict;
    return el(`span.mark.${verdict}`, { title: words, "aria-label": words, role: "img" }, symbolOf(verdict));
}

/** A text to copy, with a button. */
function copyable(label, text) {
    const box = el("pre.command", { tabindex: "0", "aria-label": label }, text);
    const button = el("button.copy", { type: "button", onclick: copy }, "Copy");
    async function copy() {
        try {
            await navigator.clipboard.writeText(text);
            button.textContent = "Copied";
        } catch {
            getSelection()?.selectAllChildren(box);
            button.textContent = "Selected: press Ctrl+C";
        }
        setTimeout(() => (button.textContent = "Copy"), 2000);
    }
    return el("figure.copyable", {}, el("figcaption", {}, label, button), box);
}

/**
 * Two texts, each with the words marked that the other does not contain. If they have little in common, nothing is
 * marked: marks everywhere would not help.
 *
 * @param {string} one @param {string} other
 * @returns {[Node[], Node[]]}
 */
function differing(one, other) {
    const words = (text) => text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
    const [a, b] = [words(one), words(other)];
    if (a.length * b.length > 250_000) return [[visible(one)], [visible(other)]];
    const shared = longestCommon(a.map((word) => word.toLowerCase()), b.map((word) => word.toLowerCase()));
    const isWord = (word) => /[\p{L}\p{N}]/u.test(word);
    const common = a.filter((word, n) => isWord(word) && shared.has(`a${n}`)).length;
    if (3 * common < Math.min(a.filter(isWord).length, b.filter(isWord).length)) return [[visible(one)], [visible(other)]];
    const side = (all, at, name) => {
        const nodes = [];
        for (let from = 0; from < all.length; ) {
            const same = shared.has(`${at}${from}`);
            let to = from;
            while (to < all.length && shared.has(`${at}${to}`) === same) to += 1;
            const text = all.slice(from, to).join("");
            nodes.push(same || !text.trim() ? visible(text) : el(`${name}.differs`, {}, text));
            from = to;
        }
        return nodes;
    };
    return [side(a, "a", "del"), side(b, "b", "ins")];
}

/** The places of a longest common subsequence: `a3` is the fourth word of `a`. */
function longestCommon(a, b) {
    const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i -= 1) {
        for (let k = b.length - 1; k >= 0; k -= 1) {
            lengths[i][k] =
                a[i] === b[k] ? lengths[i + 1][k + 1] + 1 : Math.max(lengths[i + 1][k], lengths[i][k + 1]);
        }
    }
    const shared = new Set();
    for (let i = 0, k = 0; i < a.length && k < b.length; ) {
        if (a[i] === b[k]) {
            shared.add(`a${i}`).add(`b${k}`);
            i += 1;
            k += 1;
        } else if (lengths[i + 1][k] >= lengths[i][k + 1]) i += 1;
        else k += 1;
    }
    return shared;
}
