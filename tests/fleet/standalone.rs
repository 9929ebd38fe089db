//! The fleet in one process, `killfleet standalone`: what is true of it alone.

mod beside_others;
mod by_itself;
mod killed;
mod settings;
mod stopped;
