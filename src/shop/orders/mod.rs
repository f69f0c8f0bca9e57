//! Orders: they are made, kept within limits, handed over, looked after by people, and expire.

pub mod checkout;
pub mod deliver;
mod held;
mod limits;
pub mod repeat;
pub mod review;
mod sweep;
