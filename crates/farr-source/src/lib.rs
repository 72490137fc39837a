//! One module per export format: bytes in, records and rejects out.
