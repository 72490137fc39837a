//! One module per analysis: shard to partial, partials to merged, merged to aggregate table.
