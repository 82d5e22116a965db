//! The HTML report: one file that a browser opens without a network.
//!
//! `index` is what the page shows at once, `case` is one case in full. `page` compresses both and puts them into the
//! HTML. The code in the browser is in `script/`.

mod case;
mod cut;
mod index;
mod page;
mod parts;

pub(super) use page::{render, render_matrix};
