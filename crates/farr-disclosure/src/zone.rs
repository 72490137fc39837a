//! Zones: who can read a place, hence what may be written there.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Label;

/// Who can read a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Zone {
    /// People cleared for the persons' rows: anything may be written.
    #[default]
    Restricted,
    /// Anybody: only what disclosure control has released.
    Open,
}

impl Zone {
    /// Whether the zone takes values of this label.
    pub fn admits(self, label: Label) -> bool {
        match self {
            Self::Restricted => true,
            Self::Open => label == Label::Releasable,
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restricted => "restricted",
            Self::Open => "open",
        })
    }
}
