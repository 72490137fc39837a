//! What a release must keep to.

use crate::Error;

/// What a release must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    threshold: u32,
}

impl Policy {
    /// Counts of 1 to `threshold` - 1 are withheld.
    ///
    /// # Errors
    /// [`Error::Threshold`] below 3: a withheld count could then only be 1.
    pub fn new(threshold: u32) -> Result<Self, Error> {
        if threshold < 3 {
            return Err(Error::Threshold { threshold });
        }
        Ok(Self { threshold })
    }

    /// The smallest count but 0 that is shown.
    pub fn threshold(self) -> u32 {
        self.threshold
    }

    /// Whether a count is too small to show.
    pub(crate) fn withholds(self, count: i64) -> bool {
        (1..i64::from(self.threshold)).contains(&count)
    }
}

impl Default for Policy {
    /// A threshold of 5.
    fn default() -> Self {
        Self { threshold: 5 }
    }
}
