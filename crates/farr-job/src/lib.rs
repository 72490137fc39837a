//! A job file becomes a plan, a plan becomes a run.
