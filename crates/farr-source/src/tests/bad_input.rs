//! Bad input gets an error or a reject.
