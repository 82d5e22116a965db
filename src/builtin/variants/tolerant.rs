//! A proxy that reads mislabelled bodies as their provider meant them.

use crate::builtin::extension::{Extension, ProxyStep, Unextended};

/// Does not trust the headers that describe a body.
#[derive(Debug)]
pub(super) struct TolerantReader;

impl Extension for TolerantReader {
    fn takes(&self, step: ProxyStep) -> bool {
        step != ProxyStep::TrustBodyHeaders && Unextended.takes(step)
    }
}
