//! The canonical records: OMOP tables in person-sorted shards, vocabulary, ids and dates.
