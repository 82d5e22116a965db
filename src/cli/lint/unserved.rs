//! Cases that no bundled gateway can run.

use std::sync::Arc;

use super::context::LintContext;
use crate::scenario::{Scenario, expand};

pub(super) fn find(scenario: &Scenario, context: &LintContext) -> Vec<String> {
    let mut lines = Vec::new();
    for case in expand(&Arc::new(scenario.clone())) {
        let mut reasons = Vec::new();
        for gateway in &context.gateways {
            match gateway.fitted(&case) {
                Ok(_) => {
                    reasons.clear();
                    break;
                }
                Err(reason) => reasons.push(reason),
            }
        }
        if let Some(reason) = reasons.first() {
            lines.push(format!("{}: no bundled gateway can run it; {reason}", case.id));
        }
    }
    lines
}
