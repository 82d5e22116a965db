//! What the tests and benches of this crate use of its modules.

pub mod builtin {
    pub use crate::builtin::{Defect, EmbeddedProxy, HonestVariant};
}
pub mod event {
    pub use crate::event::{CaseReport, Event, LogSecret};
}
pub mod judge {
    pub use crate::judge::{
        DetailFate, ErrorSource, Finding, Policy, PolicyAnswer, Rule, TracedDetail, Verdict, applicable,
        can_apply, has_required, origins, rule, rules,
    };
}
pub mod matrix {
    pub use crate::matrix::{
        AcceptedGateway, GatewayHead, GatewayResults, Matrix, MatrixGateway, accepted_cases,
    };
}
pub mod observation {
    pub use crate::observation::{Identity, Observation};
}
pub mod provider {
    pub use crate::provider::{
        MessageBody, ProviderMessage, RequestedCall, SourceConfidence, catalogue_row, message, model, profile,
    };
}
pub mod proxy {
    pub use crate::proxy::{
        Definition, Instance, InstanceSettings, Launch, ProxyError, ProxyRoute, Removal, remove_installation,
    };
}
pub mod report {
    pub use crate::event::CaseReport;
    pub use crate::report::{
        CaseEvidence, ProxyReport, Report, SCHEMA_VERSION, Summary, judge_again, matrix_markdown,
    };
}
pub mod runner {
    pub use crate::runner::{ProxyChoice, RunSettings, run};
}
pub mod scenario {
    pub use crate::scenario::{
        Api, Case, Combination, ErrorName, Fault, Level, Library, Point, Provider, ProxySettings,
        SuccessReply, Transport, Turn, TurnReply, expand, load_dir, load_text,
    };
}
pub mod selftest {
    pub use crate::selftest::{
        ClientView, Exhibit, FaultLayer, FaultProof, Selftest, exhibits, identity, prove,
    };
}
pub mod serve {
    pub use crate::serve::Server;
}
pub mod snapshot {
    pub use crate::snapshot::{Acceptance, SnapshotStore, StoreError, WriteMode};
}
pub mod upstream {
    pub use crate::upstream::{Armed, ArmedCase, Upstream};
}
