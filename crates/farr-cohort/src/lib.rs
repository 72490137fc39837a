//! Cohort definitions: Circe JSON and a short form, one expression tree, one evaluator.
