//! By-hand cases and properties of balance.
