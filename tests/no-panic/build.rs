//! There is no system to start this program, so it is linked with nothing but itself.

fn main() {
    println!("cargo:rustc-link-arg-bins=--gc-sections");
    println!("cargo:rustc-link-arg-bins=--entry=start");
}
