//! `sqlx::migrate!` reads the folder while it compiles, but cargo does not see that: a new migration must rebuild us.
fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
