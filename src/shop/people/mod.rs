//! People: operators and their tokens, and addresses that they shut out.

pub mod blocks;
pub mod operators;
