//! Places: locations, retries, atomic publishing, checksums; the one door for writing.
