//! Who may see what: labels of tables, zones and their policy, small-cell suppression.
