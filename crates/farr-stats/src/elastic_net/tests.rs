//! By-hand cases and properties of the elastic net.
