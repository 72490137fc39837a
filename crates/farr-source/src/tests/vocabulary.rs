//! With a vocabulary.
