//! See the folder `tests`.
