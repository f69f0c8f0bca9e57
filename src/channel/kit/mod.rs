//! What gateways have in common: parameters, JSON, signatures, keys, certificates, and the settings that several kinds have.

pub mod callback;
pub mod canonical;
pub mod cert;
pub mod flat;
pub mod hook;
pub mod json;
pub mod keys;
pub mod params;
pub mod rows;
pub mod sign;
pub mod text;
