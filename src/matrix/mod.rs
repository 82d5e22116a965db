//! The matrix of gateways: which rules each of several gateways breaks in the same cases. Pure.

mod accepted;
mod cell;
mod gateway;
mod table;

#[cfg(test)]
pub(crate) mod tests;

pub use accepted::{AcceptedGateway, accepted_cases};
pub(crate) use cell::{CellState, MatrixCell, MatrixExample};
pub(crate) use gateway::{BrokenRule, CaseResult, MatrixCase};
pub use gateway::{GatewayHead, GatewayResults, MatrixGateway};
pub use table::Matrix;
pub(crate) use table::{MatrixColumn, MatrixRow};
