//! Doc comments of WIT files, inside components.
