//! The people's verbs.
