//! Where columns go.
